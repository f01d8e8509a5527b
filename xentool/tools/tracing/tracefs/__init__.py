"""KVM's events of a host's kernel, recorded by tracefs alone: machines found, scripts run there, files kept here."""

"""What was done in the phases of a trace: pieces of known work, between marks that the guest made."""

"""Questions asked of a trace, one module each: tables in, frozen answers out, nothing printed."""

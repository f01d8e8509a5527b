"""What several commands take and do alike."""

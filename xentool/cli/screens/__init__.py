"""What terminals show that stays, or is shown by several commands."""

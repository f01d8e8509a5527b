"""What rows mean, added up. Knows no hypervisor."""

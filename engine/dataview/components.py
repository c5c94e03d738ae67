"""What a data view offers to a question: its components with their roles, types and meaning."""

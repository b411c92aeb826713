"""What several tests share: a real git with a fixed environment, and small tables."""

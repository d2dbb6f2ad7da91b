"""What the tests share: tiny models, tables of what goes wrong, and programs run as processes."""

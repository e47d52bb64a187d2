"""What is evaluated: models and runs, their names, their audio."""

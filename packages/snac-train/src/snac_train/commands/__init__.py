"""What snac-train, snac-status and snac-stop do around a run."""

"""The processes of a run: started, told what signals ask, in step with each other."""

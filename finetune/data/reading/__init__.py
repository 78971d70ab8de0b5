"""Files of measurements, one kind a file: bases and reads as they stand there, before windows and bins."""

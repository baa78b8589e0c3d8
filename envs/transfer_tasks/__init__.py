"""The transfer tasks of darla, one module for each world; every module here registers its tasks."""

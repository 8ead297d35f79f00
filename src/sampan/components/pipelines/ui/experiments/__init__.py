"""The pages of experiments: their list, and each with its runs, its metrics over time and what starts more runs."""

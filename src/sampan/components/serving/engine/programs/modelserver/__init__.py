"""The model server: one process family that speaks V1, V2 and OpenAI's routes for models of any framework."""

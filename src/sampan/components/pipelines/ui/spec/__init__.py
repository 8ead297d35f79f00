"""What a pipeline's specification says, as pages show it. Pure: from the API's JSON to texts and plain data."""

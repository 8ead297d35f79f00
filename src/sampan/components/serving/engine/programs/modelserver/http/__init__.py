"""HTTP/1.1 as the model server speaks it: parsed by httptools, answered without a framework (decision 0064)."""

"""The path language of GJSON, over values in place of texts."""

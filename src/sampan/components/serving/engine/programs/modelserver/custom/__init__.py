"""Models of users' own: a class with `preprocess`, `predict`, `postprocess`, `explain`, as those of kserve have them.

`api` is what they import; where the official package is not installed, `kserve` is it too (`stand_in`). Source of the
interface: kserve 0.20 python/kserve/kserve/{model,model_server,predictor_config,errors}.py, protocol/infer_type.py.
"""

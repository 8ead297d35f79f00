"""PMML, written by hand: the answers are JPMML-Evaluator's, upstream's own library."""

from __future__ import annotations

import jpmml_evaluator
import numpy as np
import pandas as pd
from jpmml_evaluator import make_evaluator
from jpmml_evaluator.py4j import Py4JBackend
from recorded import Case, play

TREE = """<?xml version="1.0" encoding="UTF-8"?>
<PMML xmlns="http://www.dmg.org/PMML-4_2" version="4.2">
 <Header/>
 <DataDictionary>
  <DataField name="species" optype="categorical" dataType="string">
   <Value value="setosa"/><Value value="other"/></DataField>
  <DataField name="length" optype="continuous" dataType="double"/>
  <DataField name="color" optype="categorical" dataType="string"><Value value="red"/><Value value="blue"/></DataField>
 </DataDictionary>
 <TreeModel functionName="classification" splitCharacteristic="binarySplit">
  <MiningSchema>
   <MiningField name="species" usageType="target"/><MiningField name="length"/><MiningField name="color"/>
  </MiningSchema>
  <Output>
   <OutputField name="probability_setosa" optype="continuous" dataType="double" feature="probability" value="setosa"/>
   <OutputField name="probability_other" optype="continuous" dataType="double" feature="probability" value="other"/>
  </Output>
  <Node score="setosa"><True/>
   <Node score="setosa"><SimplePredicate field="length" operator="lessThan" value="2.5"/>
    <ScoreDistribution value="setosa" recordCount="9"/><ScoreDistribution value="other" recordCount="1"/></Node>
   <Node score="other"><SimplePredicate field="length" operator="greaterOrEqual" value="2.5"/>
    <ScoreDistribution value="setosa" recordCount="2"/><ScoreDistribution value="other" recordCount="6"/></Node>
  </Node>
 </TreeModel>
</PMML>
"""


def tree() -> None:
    case = Case("pmml-tree", "pmml")
    file = case.model / "model.pmml"
    file.write_text(TREE)
    evaluator = make_evaluator(str(file), backend="py4j").verify()
    records = [{"length": 1.4, "color": "red"}, {"length": 4.7, "color": "blue"}]
    expected = [evaluator.evaluate(each) for each in records]
    case.v1([[each["length"], each["color"]] for each in records], expected)
    case.v1(records, expected)
    frame = pd.DataFrame(expected)
    columns = {"length": np.array([1.4, 4.7]), "color": np.array(["red", "blue"], dtype=object)}
    outputs = {
        name: frame[name].to_numpy(dtype=object if name == "species" else np.float64)
        for name in frame.columns
    }
    case.v2(columns, outputs)
    case.write(jpmml_evaluator)
    Py4JBackend.destroyGateway()


if __name__ == "__main__":
    play(tree)

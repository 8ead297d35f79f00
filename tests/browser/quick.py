"""A pipeline of one short step, whose run ends in a second: for tests that make things of their own."""

from __future__ import annotations

QUICK = {
    "pipelineInfo": {"name": "quick"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.17.0",
    "root": {
        "dag": {
            "tasks": {
                "say": {
                    "componentRef": {"name": "comp-say"},
                    "taskInfo": {"name": "say"},
                    "inputs": {"parameters": {"word": {"componentInputParameter": "word"}}},
                }
            }
        },
        "inputDefinitions": {
            "parameters": {"word": {"parameterType": "STRING", "defaultValue": "hello", "isOptional": True}}
        },
    },
    "components": {
        "comp-say": {
            "executorLabel": "exec-say",
            "inputDefinitions": {"parameters": {"word": {"parameterType": "STRING"}}},
        }
    },
    "deploymentSpec": {
        "executors": {
            "exec-say": {
                "container": {
                    "image": "busybox",
                    "command": ["echo"],
                    "args": ["{{$.inputs.parameters['word']}}"],
                }
            }
        }
    },
}

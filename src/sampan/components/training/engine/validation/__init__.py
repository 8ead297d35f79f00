"""What of training's kinds is refused when it is written, in upstream's words. Pure.

    operator  TFJob, PyTorchJob, XGBoostJob, JAXJob, PaddleJob     mpi        MPIJob, in both versions
    trainjob  TrainJob, against its runtime                        torchtune  ... where that fine-tunes with torchtune
    warnings  what is taken and warned of
    runtimes  TrainingRuntime, ClusterTrainingRuntime              reading    objects, whatever is in them

Schemas have been checked before, as long as they are ours: where somebody's definition lets everything in, these must
hold too. `controller.admission` calls them.
"""

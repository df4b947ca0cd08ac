"""Classes that older versions of Keras had, or TensorFlow's Keras wrote, and that Keras 3 does not find: what is called
so is not the user's own."""

_LAYERS = frozenset({
    *("AddLoss", "AddMetric", "AtrousConv1D", "AtrousConv2D", "AtrousConvolution1D", "AtrousConvolution2D"),
    *("BatchNormalizationV1", "BatchNormalizationV2", "CategoryCrossing", "ClassMethod", "Conv", "ConvLSTM2DCell"),
    "ConvRecurrent2D",
    *("CuDNNGRU", "CuDNNLSTM", "Deconv2D", "Deconv3D", "Deconvolution2D", "Deconvolution3D", "DenseFeatures"),
    *("DepthwiseConv", "DeviceWrapper", "DropoutWrapper", "FunctionalPreprocessingStage", "GRUCellV1", "GRUCellV2"),
    *("GRUV1", "GRUV2", "Graph", "Highway", "InstanceMethod", "InstanceProperty", "LSTMCellV1", "LSTMCellV2"),
    *("LSTMV1", "LSTMV2", "LambdaMerge", "LinearModel", "LocallyConnected1D", "LocallyConnected2D", "MaxoutDense"),
    *("Merge", "ParametricSoftplus", "PreprocessingStage", "RandomFourierFeatures", "RandomHeight", "RandomWidth"),
    *("ResidualWrapper", "SReLU", "SequenceFeatures", "SlicingOpLambda", "SyncBatchNormalization", "TFOpLambda"),
    *("TensorFlowOpLayer", "ThresholdedReLU", "TimeDistributedDense", "WideDeepModel", "AutoEncoder", "Siamese"),
    *("SiameseHead", "Container", "Recurrent", "ActivityRegularizer", "PeepholeLSTMCell"),
})  # fmt: skip

_OTHERS = frozenset({
    *("ConstantV2", "GlorotNormalV2", "GlorotUniformV2", "HeNormalV2", "HeUniformV2", "IdentityV2", "LecunNormalV2"),
    *("LecunUniformV2", "OnesV2", "OrthogonalV2", "RandomNormalV2", "RandomUniformV2", "TruncatedNormalV2", "ZerosV2"),
    *("VarianceScalingV2", "LinearCosineDecay", "NoisyLinearCosineDecay", "LossScaleOptimizerV3", "MeanRelativeError"),
    *("MeanTensor", "NonFusedAdam", "Policy", "RadialConstraint", "TFOptimizer", "WeightRegularizer"),
    *("EigenvalueRegularizer", "SharpnessAwareMinimization", "OptimizerV2", "LossesContainer", "MetricsContainer"),
    *("LossScaleOptimizerV1", "PolicyV1", "DynamicLossScale", "FixedLossScale"),
})  # fmt: skip


def is_removed_layer(name: str) -> bool:
    """Whether a layer or model of this name was one of Keras's."""
    return name in _LAYERS


def is_removed_class(name: str) -> bool:
    """Whether a class of this name was one of Keras's."""
    return name in _LAYERS or name in _OTHERS

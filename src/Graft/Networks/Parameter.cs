namespace Graft.Networks;

/// <summary>What a tensor of weights is to its layer; checkpoint formats differ in its name and axis order.</summary>
public enum ParameterRole
{
    /// <summary>Convolution weights, [output, input / groups, height, width].</summary>
    Kernel,

    /// <summary>Weights of a convolution with one group per input channel, [output, 1, height, width].</summary>
    DepthwiseKernel,

    /// <summary>The 1×1 weights of a separable convolution, [output, input, 1, 1].</summary>
    PointwiseKernel,

    /// <summary>Weights of a dense layer, [output, input].</summary>
    DenseKernel,

    /// <summary>Added after a kernel.</summary>
    Bias,

    /// <summary>The scale of a normalization.</summary>
    Gamma,

    /// <summary>The shift of a normalization.</summary>
    Beta,

    /// <summary>The moving mean that batch normalization subtracts in inference.</summary>
    MovingMean,

    /// <summary>The moving variance that batch normalization divides by in inference.</summary>
    MovingVariance,

    /// <summary>A factor per channel, and all that its layer has.</summary>
    LayerScale,

    /// <summary>Learned vectors [1, tokens, channels], and all that their layer has.</summary>
    Embedding,

    /// <summary>A number for each offset between two positions of a window, [offsets, heads], and all that its layer has.</summary>
    RelativePositions,

    /// <summary>The bytes of an ONNX model, four to a number, and all that its layer has.</summary>
    OnnxModel,

    /// <summary>The mean of each feature in each class, [classes, features].</summary>
    ClassMeans,

    /// <summary>The variance of each feature in each class, [classes, features].</summary>
    ClassVariances,

    /// <summary>The logarithm of each class's share, [classes].</summary>
    LogPriors,

    /// <summary>Features of training images that a classifier compares with, [examples, features].</summary>
    Examples,

    /// <summary>The number of the class of each of the <see cref="Examples"/>.</summary>
    ExampleLabels,

    /// <summary>How much each of the <see cref="Examples"/> counts for the pairs of classes, [classes − 1, examples].</summary>
    Coefficients,

    /// <summary>Added to the output for each pair of classes, [pairs].</summary>
    Offsets,

    /// <summary>A and B of the sigmoid that makes the output for each pair of classes a probability, [pairs, 2].</summary>
    Calibration,

    /// <summary>Subtracted from features before an affine transform, [features].</summary>
    Center,

    /// <summary>What an affine transform multiplies by, [features] or [outputs, features].</summary>
    Factors,

    /// <summary>Added after an affine transform, [outputs].</summary>
    Shift,

    /// <summary>What a network computes the <see cref="RelativePositions"/> with, from the offsets: its first layer's weights, [units, 2].</summary>
    OffsetKernel,

    /// <summary>Added after the <see cref="OffsetKernel"/>, [units].</summary>
    OffsetBias,

    /// <summary>The second layer's weights, [heads, units].</summary>
    OffsetHeads,

    /// <summary>The logarithm of what each head's cosines are multiplied by, [heads, 1, 1], and all that its layer has.</summary>
    LogitScale,

    /// <summary>Added to queries and values, which lie side by side with keys between them, [3 · channels], and all that its layer has.</summary>
    QueryValueBias,
}

/// <summary>One tensor of weights of a layer, in PyTorch's axis order.</summary>
/// <param name="Layer">The layer that owns it.</param>
/// <param name="Role">What it is to the layer.</param>
/// <param name="Shape">Its sizes, output first.</param>
public sealed record Parameter(string Layer, ParameterRole Role, IReadOnlyList<int> Shape)
{
    /// <summary>
    /// The key in PyTorch's naming, which Graft's own files use too: <c>features.0.0.weight</c>, or the layer's name for a tensor
    /// that is all its layer has.
    /// </summary>
    public string Key => Role switch
    {
        ParameterRole.LayerScale or ParameterRole.Embedding or ParameterRole.RelativePositions or ParameterRole.OnnxModel
            or ParameterRole.LogitScale or ParameterRole.QueryValueBias => Layer,
        ParameterRole.OffsetKernel => $"{Layer}.0.weight",
        ParameterRole.OffsetBias => $"{Layer}.0.bias",
        ParameterRole.OffsetHeads => $"{Layer}.2.weight",
        ParameterRole.Bias or ParameterRole.Beta => $"{Layer}.bias",
        ParameterRole.MovingMean => $"{Layer}.running_mean",
        ParameterRole.MovingVariance => $"{Layer}.running_var",
        ParameterRole.PointwiseKernel => $"{Layer}.pointwise.weight",
        ParameterRole.ClassMeans => $"{Layer}.means",
        ParameterRole.ClassVariances => $"{Layer}.variances",
        ParameterRole.LogPriors => $"{Layer}.log_priors",
        ParameterRole.Examples => $"{Layer}.examples",
        ParameterRole.ExampleLabels => $"{Layer}.labels",
        ParameterRole.Coefficients => $"{Layer}.coefficients",
        ParameterRole.Offsets => $"{Layer}.offsets",
        ParameterRole.Calibration => $"{Layer}.calibration",
        ParameterRole.Center => $"{Layer}.center",
        ParameterRole.Factors => $"{Layer}.factors",
        ParameterRole.Shift => $"{Layer}.shift",
        _ => $"{Layer}.weight",
    };

    public int ElementCount => Shape.Aggregate(1, (product, size) => checked(product * size));

    /// <summary>Numbers that are measured or chosen, not learned by gradient; torchvision leaves them out of parameter counts.</summary>
    public bool IsStatistic => Role is ParameterRole.MovingMean or ParameterRole.MovingVariance or ParameterRole.OnnxModel || IsFitted;

    /// <summary>What the fit of a <see cref="ClassifierOperation"/> or an <see cref="AffineTransform"/> gave.</summary>
    public bool IsFitted => Role is
        ParameterRole.ClassMeans or ParameterRole.ClassVariances or ParameterRole.LogPriors or ParameterRole.Examples
        or ParameterRole.ExampleLabels or ParameterRole.Coefficients or ParameterRole.Offsets or ParameterRole.Calibration
        or ParameterRole.Center or ParameterRole.Factors or ParameterRole.Shift;

    /// <summary>Weights that multiply inputs, of a convolution or a dense layer: what weight decay is for.</summary>
    public bool IsKernel => Role is
        ParameterRole.Kernel or ParameterRole.DepthwiseKernel or ParameterRole.PointwiseKernel or ParameterRole.DenseKernel
        or ParameterRole.OffsetKernel or ParameterRole.OffsetHeads;

    /// <summary>The number of inputs that one output sums over, for the scale of random initial values.</summary>
    public int FanIn => Shape.Skip(1).Aggregate(1, (product, size) => product * size);
}

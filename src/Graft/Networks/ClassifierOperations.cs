using System.Text.Json.Serialization;
using static TorchSharp.torch;

namespace Graft.Networks;

/// <summary>
/// A classifier that is no stack of dense layers: features [features] → [classes], the logarithms of the probabilities, so that
/// softmax gives the probabilities back. Computed in float64 inside, see <see cref="TorchClassifiers"/>.
/// </summary>
/// <param name="Classes">At least 2.</param>
public abstract record ClassifierOperation(int Classes) : Operation
{
    /// <summary>float32 features [N, features] → float32 logarithms of probabilities [N, classes].</summary>
    internal abstract Tensor LogProbabilities(Tensor features, Func<ParameterRole, Tensor> weight);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        Single(inputs).IsVector
            ? TensorShape.Vector(Classes)
            : throw new GraftException($"expected a vector, found {inputs[0]}; pool or flatten first");
}

/// <summary>
/// Gaussian naive Bayes: in each class, each feature is normal by itself, with a mean and a variance of its own. Class means
/// [classes, features], variances of the same shape, and logarithms of the classes' shares [classes].
/// </summary>
public sealed record GaussianBayes(int Classes) : ClassifierOperation(Classes)
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    internal override Tensor LogProbabilities(Tensor features, Func<ParameterRole, Tensor> weight) => TorchClassifiers.LogProbabilities(this, features, weight);

    /// <summary>
    /// If above 0, the logarithm of the likelihood that a class has less than the likeliest, d, becomes log(1 + scale · d), up to a constant:
    /// heavier tails, the same order. Default 0: the normal distribution's.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public double TailScale { get; init; }

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
    [
        new(layer, ParameterRole.ClassMeans, [Classes, inputs[0].Channels]),
        new(layer, ParameterRole.ClassVariances, [Classes, inputs[0].Channels]),
        new(layer, ParameterRole.LogPriors, [Classes]),
    ];

    public override long MultiplyAdds(IReadOnlyList<TensorShape> inputs, TensorShape output) => (long)inputs[0].Channels * Classes;
}

/// <summary>
/// Nearest class means on the unit sphere: −½ of the squared distance of the centered features, scaled to length 1, to the mean of each class,
/// up to a constant. A center [features] and class means [classes, features].
/// </summary>
public sealed record NormalizedClassMeans(int Classes) : ClassifierOperation(Classes)
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    internal override Tensor LogProbabilities(Tensor features, Func<ParameterRole, Tensor> weight) => TorchClassifiers.LogProbabilities(this, features, weight);

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
    [
        new(layer, ParameterRole.MovingMean, [inputs[0].Channels]),
        new(layer, ParameterRole.ClassMeans, [Classes, inputs[0].Channels]),
    ];

    public override long MultiplyAdds(IReadOnlyList<TensorShape> inputs, TensorShape output) => (long)inputs[0].Channels * Classes;
}

/// <summary>
/// The votes of the nearest examples by Euclidean distance, each counting the same: a class's probability is its share of them.
/// Examples [examples, features] and the number of each one's class [examples]. A share of 0 gives a logarithm of about −87.
/// </summary>
/// <param name="Neighbors">How many vote, from 1 to <paramref name="Examples"/>.</param>
public sealed record NeighborVotes(int Classes, int Neighbors, int Examples) : ClassifierOperation(Classes)
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    internal override Tensor LogProbabilities(Tensor features, Func<ParameterRole, Tensor> weight) => TorchClassifiers.LogProbabilities(this, features, weight);

    /// <summary>Votes that each class has before any neighbor votes. At least 0, the default.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public double PriorVotes { get; init; }

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        Neighbors >= 1 && Neighbors <= Examples
            ? base.OutputShape(inputs)
            : throw new GraftException($"expected from 1 to {Examples} neighbors, found {Neighbors}");

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
    [
        new(layer, ParameterRole.Examples, [Examples, inputs[0].Channels]),
        new(layer, ParameterRole.ExampleLabels, [Examples]),
    ];

    public override long MultiplyAdds(IReadOnlyList<TensorShape> inputs, TensorShape output) => (long)inputs[0].Channels * Examples;
}

/// <summary>
/// Votes of softmax regressions: the probability of a class is the weighted mean of those that the members give it. For each member and class a
/// row of the kernel [members · classes, features] and a bias [members · classes]; the members' weights, of sum 1, [members].
/// </summary>
/// <param name="Members">At least 1.</param>
public sealed record SoftmaxVotes(int Classes, int Members) : ClassifierOperation(Classes)
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    internal override Tensor LogProbabilities(Tensor features, Func<ParameterRole, Tensor> weight) => TorchClassifiers.LogProbabilities(this, features, weight);

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs) =>
    [
        new(layer, ParameterRole.Factors, [Members * Classes, inputs[0].Channels]),
        new(layer, ParameterRole.Offsets, [Members * Classes]),
        new(layer, ParameterRole.Coefficients, [Members]),
    ];

    public override long MultiplyAdds(IReadOnlyList<TensorShape> inputs, TensorShape output) => (long)inputs[0].Channels * Members * Classes;
}

/// <summary>
/// Support vector machines with the kernel exp(−γ·|x − y|²), one for each pair of classes, whose calibrated outputs are coupled to
/// probabilities (Wu, Lin and Weng 2004, second method). The numbers are in LIBSVM's layout: the support vectors class by class
/// [vectors, features]; their coefficients [classes − 1, vectors], where for a vector of class i row j (or j − 1 if j > i) is for
/// the pair with class j; for the pairs (0, 1), (0, 2), …, (1, 2), … an offset, added [pairs], and Platt's A and B [pairs, 2].
/// </summary>
/// <param name="Gamma">Above 0.</param>
/// <param name="SupportVectors">How many each class has.</param>
public sealed record RbfMachine(int Classes, double Gamma, IReadOnlyList<int> SupportVectors) : ClassifierOperation(Classes)
{
    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    internal override Tensor LogProbabilities(Tensor features, Func<ParameterRole, Tensor> weight) => TorchClassifiers.LogProbabilities(this, features, weight);

    /// <summary>One for each two classes.</summary>
    [JsonIgnore]
    public int Pairs => Classes * (Classes - 1) / 2;

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        SupportVectors.Count == Classes && SupportVectors.All(count => count >= 0)
            ? base.OutputShape(inputs)
            : throw new GraftException($"expected the support vectors of {Classes} classes, found those of {SupportVectors.Count}");

    public override IEnumerable<Parameter> Parameters(string layer, IReadOnlyList<TensorShape> inputs)
    {
        var vectors = SupportVectors.Sum();
        return
        [
            new(layer, ParameterRole.Examples, [vectors, inputs[0].Channels]),
            new(layer, ParameterRole.Coefficients, [Classes - 1, vectors]),
            new(layer, ParameterRole.Offsets, [Pairs]),
            new(layer, ParameterRole.Calibration, [Pairs, 2]),
        ];
    }

    public override long MultiplyAdds(IReadOnlyList<TensorShape> inputs, TensorShape output) =>
        (long)SupportVectors.Sum() * (inputs[0].Channels + Classes - 1);
}

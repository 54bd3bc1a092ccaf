using System.Text.Json.Serialization;

namespace Graft.Networks;

/// <summary>How the output of a layer becomes features.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Pooling>))]
public enum Pooling
{
    /// <summary>One number per channel: a map's mean; of tokens, the class token.</summary>
    Average,

    /// <summary>One number per channel: a map's largest; of tokens, a head takes the class token.</summary>
    Max,

    /// <summary>
    /// Every value, [channels, height, width] → [channels · height · width]; the features of a Keras network in the order height, width, channels, as
    /// Keras flattens.
    /// </summary>
    Flatten,

    /// <summary>The output as it is; a head cannot take a map so.</summary>
    None,
}

/// <summary>
/// A new classification head, to be grafted on the features of a pretrained network: pooling, batch norm, hidden dense layers with ReLU
/// and dropout, and a dense layer with one output per class. Its outputs are logits.
/// </summary>
public sealed record Head
{
    private const double Epsilon = 1e-5;

    /// <summary>Batch norm and one dense layer: softmax regression on standardized features.</summary>
    public static Head Softmax { get; } = new();

    /// <summary>The classic recipe's head: one hidden layer, such as 1,024 units.</summary>
    public static Head Dense(int units, double dropout = 0) => new() { HiddenUnits = [units], Dropout = dropout };

    /// <summary>The head of the classic fine-tuning recipe: flatten, dense 256 with ReLU, dropout 0.5, softmax.</summary>
    public static Head FullyConnected { get; } = new() { Pooling = Pooling.Flatten, HiddenUnits = [256], Dropout = 0.5, BatchNorm = false };

    /// <summary>What makes a vector of a feature map; default the mean of each channel.</summary>
    public Pooling Pooling { get; init; }

    /// <summary>
    /// Whether two classes share one output, the logit of the second, as in binary recipes. Default false: an output for each class.
    /// </summary>
    public bool OneLogit { get; init; }

    /// <summary>Units of the hidden dense layers, first to last; at least 1 each. Default none.</summary>
    public IReadOnlyList<int> HiddenUnits { get; init; } = [];

    /// <summary>The share of values zeroed before each dense layer but the first of several, from 0 up to 1. Default 0.</summary>
    public double Dropout { get; init; }

    /// <summary>Whether features are standardized by batch norm first. Default true.</summary>
    public bool BatchNorm { get; init; } = true;

    /// <summary>The network with this head on it: pooled to a layer <c>features</c>, then as the other overload says.</summary>
    /// <param name="network">A network without its own classification head, of any output shape.</param>
    /// <param name="classes">At least 2.</param>
    public Network Build(Network network, int classes) => network.Append(output => Build(
        network.OutputShape switch
        {
            { IsVector: true } => output,
            _ when Pooling == Pooling.Flatten => output.Flatten("features"),
            { IsTokens: true } => output.FirstToken("features"),
            _ => output.GlobalPool("features", Pooling == Pooling.Max ? PoolFunction.Max : PoolFunction.Average),
        },
        classes));

    /// <summary>Adds the head's layers, all named <c>head.*</c>.</summary>
    /// <param name="features">A vector.</param>
    /// <param name="classes">At least 2.</param>
    public Node Build(Node features, int classes)
    {
        if (Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        if (classes < 2) throw new GraftException($"Expected at least 2 classes, found {classes}.");
        if (OneLogit && classes != 2) throw new GraftException($"One logit tells 2 classes apart, not {classes}: leave it out.");
        var x = BatchNorm ? features.BatchNorm("head.norm", Epsilon) : features;
        for (var i = 0; i < HiddenUnits.Count; i++)
        {
            if (i > 0 && Dropout > 0) x = x.Dropout($"head.dropout{i}", Dropout);
            x = x.Dense($"head.dense{i + 1}", HiddenUnits[i]).Relu($"head.relu{i + 1}");
        }
        if (Dropout > 0) x = x.Dropout("head.dropout", Dropout);
        return x.Dense("head.classes", OneLogit ? 1 : classes);
    }

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        if (HiddenUnits.Any(units => units < 1)) problems.Add($"Expected hidden layers of at least 1 unit, found {string.Join(", ", HiddenUnits)}.");
        if (Pooling == Pooling.None) problems.Add("Expected a pooling that makes a vector for the head, found none.");
        if (Dropout is not (>= 0 and < 1)) problems.Add($"Expected a dropout from 0 up to 1, found {Dropout}.");
        return problems;
    }
}

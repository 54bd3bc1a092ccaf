using Graft.Backbones;
using Graft.Networks;

namespace Graft.Training;

/// <summary>A pretrained network with a new head on it, to be trained. The weights of the backbone stay the caller's.</summary>
public sealed class GraftedNetwork
{
    internal GraftedNetwork(Backbone backbone, Head head, IReadOnlyList<string> classes, int seed)
    {
        (Backbone, Classes) = (backbone, classes);
        Network = head.Build(backbone.Network, classes.Count);
        var pretrained = backbone.Network.Layers.Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal);
        NewLayers = [.. Network.Layers.Select(layer => layer.Name).Where(layer => !pretrained.Contains(layer))];
        Weights = new CombinedWeights(backbone.Weights, pretrained, new RandomWeights(seed));
    }

    /// <summary>A trained network, to be trained further with the head it has.</summary>
    /// <param name="backbone">All of it but the head.</param>
    internal GraftedNetwork(Backbone backbone, Network network, IWeights weights, IReadOnlyList<string> classes)
    {
        (Backbone, Network, Weights, Classes) = (backbone, network, weights, classes);
        NewLayers = [.. network.Layers.Skip(backbone.Network.Layers.Count).Select(layer => layer.Name)];
    }

    /// <summary>The pretrained part.</summary>
    public Backbone Backbone { get; }

    /// <summary>What the outputs are called, in order.</summary>
    public IReadOnlyList<string> Classes { get; }

    /// <summary>The whole, from the image to the outputs.</summary>
    public Network Network { get; }

    /// <summary>The layers of the head, in order.</summary>
    public IReadOnlyList<string> NewLayers { get; }

    /// <summary>Pretrained weights, and for the head random ones, or those it has been trained to.</summary>
    public IWeights Weights { get; }

    /// <summary>The layer whose output the head begins with.</summary>
    internal string HeadInput => Network.CutBefore(NewLayers.First(layer => layer.StartsWith("head.", StringComparison.Ordinal))).Output.Name;

    /// <summary>
    /// The plan to begin with: the pretrained layers frozen, the head trained, its batch norms by the statistics of the batch.
    /// </summary>
    public FreezePlan Freeze()
    {
        var head = string.Join(',', NewLayers);
        return FreezePlan.All(Network).Unfreeze(head).WithBatchNorm(BatchNormMode.Training, head);
    }
}

public static class Grafting
{
    /// <summary>Puts a new head on a cut network: <c>backbone.CutBefore("classifier").Graft(Head.Dense(1024), classes)</c>.</summary>
    /// <param name="backbone">A network without its own classification head. Stays the caller's.</param>
    /// <param name="classes">At least 2, in the order of the outputs.</param>
    /// <param name="seed">Decides the head's initial weights.</param>
    public static GraftedNetwork Graft(this Backbone backbone, Head head, IReadOnlyList<string> classes, int seed = 1) =>
        new(backbone, head, classes, seed);
}

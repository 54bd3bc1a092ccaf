namespace Graft.Networks;

/// <summary>Which layers of a network use the output of which others, by number.</summary>
internal sealed class LayerUses
{
    private readonly IReadOnlyList<int>[] _inputs;
    private readonly List<int>[] _users;
    private readonly bool[] _isFree;

    public LayerUses(Network network)
    {
        _inputs = [.. network.Layers.Select(layer => layer.Inputs.Select(network.IndexOf).ToList())];
        _users = [.. network.Layers.Select(_ => new List<int>())];
        foreach (var (index, inputs) in _inputs.Index())
            foreach (var input in inputs) _users[input].Add(index);
        _isFree = [.. network.Layers.Select(layer => layer.Operation.RunsBackwardWithoutOutput)];
    }

    /// <summary>The layers that a layer takes, in order.</summary>
    public IReadOnlyList<int> Inputs(int layer) => _inputs[layer];

    /// <summary>The layers that use a layer's output, once for each use.</summary>
    public IReadOnlyList<int> Users(int layer) => _users[layer];

    /// <summary>How often a layer's output is used.</summary>
    public int Count(int layer) => _users[layer].Count;

    /// <summary>The last layer that uses a layer's output; 0 where none does.</summary>
    public int Last(int layer) => _users[layer] is [.., var last] ? last : 0;

    /// <summary>The one layer that uses a layer's output; null where several or none do.</summary>
    public int? OnlyUser(int layer) => _users[layer] is [var user] ? user : null;

    /// <summary>Whether a layer runs backward without its own output.</summary>
    public bool IsFree(int layer) => _isFree[layer];

    /// <summary>Whether a layer's output may be overwritten by the only layer that uses it.</summary>
    public bool IsFreeForItsOnlyUser(int layer) => _isFree[layer] && _users[layer].Count == 1;
}

/// <summary>The normalizations and scales whose work the weights of a layer before them can do: in inference each is a factor and a shift for each channel.</summary>
internal static class FoldableLayers
{
    /// <summary>
    /// The batch norms and layer scales after a convolution or dense layer, first to last, each the only user of what comes before it; empty for none.
    /// </summary>
    public static IReadOnlyList<int> After(Network network, int layer)
    {
        var folded = new List<int>();
        if (network.Layers[layer].Operation.TakesChannelFactors)
            for (var next = network.Uses.OnlyUser(layer);
                 next is { } user && network.Layers[user].Operation is BatchNorm or LayerScale;
                 next = network.Uses.OnlyUser(user))
                folded.Add(user);
        return folded;
    }
}

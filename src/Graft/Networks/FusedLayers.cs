namespace Graft.Networks;

/// <summary>
/// Layers that follow each other and are one pass over memory in a step of training (<see cref="GradientTape"/>): batch norm, residual sum,
/// activation; one of them or more. All by their numbers in the network.
/// </summary>
/// <param name="Value">The layer whose output they begin with; nothing else uses it, and its own gradient does not need it.</param>
/// <param name="Norm">The batch norm; null for none, as where a convolution does its work.</param>
/// <param name="Addend">The layer whose output is added; null for none.</param>
/// <param name="Activation">Relu or relu6; null for none.</param>
/// <param name="Steps">The layers that are fused, in order.</param>
internal sealed record FusedLayers(int Value, int? Norm, int? Addend, ActivationFunction? Activation, IReadOnlyList<int> Steps)
{
    /// <summary>As many layers as can be fused from this one on; null for none.</summary>
    public static FusedLayers? From(Network network, LayerUses uses, int start)
    {
        var operation = network.Layers[start].Operation;
        if (operation is not (BatchNorm or Add) && ActivationOf(start) is null) return null;
        var value = uses.Inputs(start).FirstOrDefault(uses.IsFreeForItsOnlyUser, -1);
        if (value < 0) return null;
        List<int> steps = [start];
        var isNorm = operation is BatchNorm;
        if (isNorm && Next() is { } sum && AddendOf(sum, start) is not null) steps.Add(sum);
        var addend = AddendOf(steps[^1], isNorm ? start : value);
        // A sum by itself libtorch does as well.
        if (operation is Add && addend is null) return null;
        var activation = ActivationOf(start);
        if (activation is null && Next() is { } next && ActivationOf(next) is { } behind)
        {
            activation = behind;
            steps.Add(next);
        }
        return isNorm || activation is not null ? new(value, isNorm ? start : null, addend, activation, steps) : null;

        int? Next() => uses.OnlyUser(steps[^1]);

        // The other one of a sum of two, which must be there already.
        int? AddendOf(int layer, int one) =>
            network.Layers[layer].Operation is Add && uses.Inputs(layer) is [var left, var right]
            && (left == one ? right : left) is var other && other < start ? other : null;

        ActivationFunction? ActivationOf(int layer) =>
            network.Layers[layer].Operation is Activation { Function: ActivationFunction.Relu or ActivationFunction.Relu6 } activation
                ? activation.Function : null;
    }
}

/// <summary>Which layers of a network use the output of which others, by number.</summary>
internal sealed class LayerUses
{
    private readonly IReadOnlyList<int>[] _inputs;
    private readonly int[] _count, _last;
    private readonly bool[] _isFree;

    public LayerUses(Network network)
    {
        var indices = network.Layers.Index().ToDictionary(pair => pair.Item.Name, pair => pair.Index, StringComparer.Ordinal);
        _inputs = [.. network.Layers.Select(layer => layer.Inputs.Select(name => indices[name]).ToList())];
        (_count, _last) = (new int[network.Layers.Count], new int[network.Layers.Count]);
        foreach (var (index, inputs) in _inputs.Index())
        {
            foreach (var input in inputs)
            {
                _count[input]++;
                _last[input] = index;
            }
        }
        _isFree = [.. network.Layers.Select(layer =>
            layer.Operation is BatchNorm or Add or Convolution { Activation: null } or SeparableConvolution)];
    }

    /// <summary>The layers that a layer takes, in order.</summary>
    public IReadOnlyList<int> Inputs(int layer) => _inputs[layer];

    /// <summary>How often a layer's output is used.</summary>
    public int Count(int layer) => _count[layer];

    /// <summary>The last layer that uses a layer's output; 0 where none does.</summary>
    public int Last(int layer) => _last[layer];

    /// <summary>The one layer that uses a layer's output; null where several or none do.</summary>
    public int? OnlyUser(int layer) => _count[layer] == 1 ? _last[layer] : null;

    /// <summary>Whether a layer runs backward without its own output.</summary>
    public bool IsFree(int layer) => _isFree[layer];

    /// <summary>Whether a layer's output may be overwritten by the only layer that uses it.</summary>
    public bool IsFreeForItsOnlyUser(int layer) => _isFree[layer] && _count[layer] == 1;
}

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
        if (activation is null && Next() is { } next && ActivationOf(next) is { } after)
        {
            activation = after;
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

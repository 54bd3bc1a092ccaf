using Graft.Networks;

namespace Graft.Checkpoints;

/// <summary>How the layers of a Keras file can be those of a network.</summary>
internal static class KerasMatching
{
    /// <param name="Model">The model of the file whose layers are meant; empty for its own.</param>
    /// <param name="PartOf">By parameter: the tensor.</param>
    /// <param name="Unknown">Tensors of that model that the network has no place for.</param>
    public readonly record struct KerasMatch(string Model, Dictionary<string, TensorPart> PartOf, IReadOnlyList<string> Unknown);

    /// <summary>
    /// In each model of the file: by name, if its layers have names of the network, but for a head after them; by order; and for the files
    /// of Keras 3 by the order of each kind of layer. Names alone may mislead: an older Keras counted its unnamed layers from conv2d_1. Where no model has as many
    /// layers as the network, some of them are parts of it, as ConvNeXt's stem is.
    /// </summary>
    public static IEnumerable<KerasMatch> Matches(KerasCheckpoint file, Network network, IReadOnlyList<Parameter> known)
    {
        var layers = known.GroupBy(parameter => parameter.Layer).Select(group => new NetworkLayer(group.Key, [.. group])).ToList();
        var byName = layers.ToDictionary(layer => layer.Name, StringComparer.Ordinal);
        var isInParts = file.Models.Count > 1
            && file.Models.Max(model => model.Count(layer => layer.TensorNames.Count > 0)) < network.Parameters.Select(parameter => parameter.Layer).Distinct().Count();
        foreach (var model in isInParts ? [file.AllLayers] : file.Models)
        {
            var weighted = model.Where(layer => layer.TensorNames.Count > 0 && !Normalizes(layer)).ToList();
            if (weighted.Count == 0 && file.Models.Count > 1) continue;
            if (!isInParts && weighted.Any(layer => layer.Kind is not null)) yield return ByKind(weighted, layers, network);
            var last = weighted.FindLastIndex(layer => byName.ContainsKey(layer.Name));
            var (body, head) = (weighted.Take(last + 1).ToList(), weighted.Skip(last + 1));
            if (body.Count > 0 && weighted.Count(layer => !byName.ContainsKey(layer.Name)) is var unknown
                && (body.All(layer => byName.ContainsKey(layer.Name)) || (weighted[0].Kind is not null && unknown < body.Count)))
            {
                yield return Match(
                    isInParts ? "" : model[0].Model, [.. body.Where(layer => byName.ContainsKey(layer.Name)).Select(layer => (layer, byName[layer.Name]))], []);
            }
            yield return Match(
                weighted.Count > 0 && !isInParts ? weighted[0].Model : "",
                [.. weighted.Zip(layers)],
                [.. weighted.Skip(layers.Count).SelectMany(layer => layer.TensorNames)]);
        }
    }

    /// <summary>Keras's Normalization, which holds what is done to photos before they come to a network: its record has that.</summary>
    private static bool Normalizes(KerasLayer layer) => layer.Kind == "normalization"
        || (layer.TensorNames is [var mean, var variance, ..] && mean.EndsWith("/mean", StringComparison.Ordinal) && variance.EndsWith("/variance", StringComparison.Ordinal));

    private sealed record NetworkLayer(string Name, IReadOnlyList<Parameter> Parameters)
    {
        public string Kind
        {
            get
            {
                var roles = Parameters.Select(parameter => parameter.Role).ToHashSet();
                return roles.Contains(ParameterRole.PointwiseKernel) ? "separable_conv2d"
                    : roles.Contains(ParameterRole.DepthwiseKernel) ? "depthwise_conv2d"
                    : roles.Contains(ParameterRole.Kernel) ? "conv2d"
                    : roles.Contains(ParameterRole.DenseKernel) ? "dense"
                    : roles.Contains(ParameterRole.MovingMean) ? "batch_normalization"
                    : roles.Contains(ParameterRole.LayerScale) ? "layer_scale"
                    : "layer_normalization";
            }
        }
    }

    private static KerasMatch ByKind(List<KerasLayer> weighted, List<NetworkLayer> layers, Network network)
    {
        var needed = network.Parameters.Select(parameter => parameter.Layer).ToHashSet(StringComparer.Ordinal);
        var pairs = new List<(KerasLayer, NetworkLayer)>();
        var unknown = new List<string>();
        foreach (var kind in layers.GroupBy(layer => layer.Kind))
        {
            var (found, wanted) = (weighted.FindAll(layer => layer.Kind == kind.Key), kind.ToList());
            pairs.AddRange(found.Zip(wanted));
            // A dense layer more is a head's; a convolution more is another network's.
            if (kind.Key != "dense" || wanted.All(layer => needed.Contains(layer.Name)))
                unknown.AddRange(found.Skip(wanted.Count).SelectMany(layer => layer.TensorNames));
        }
        return Match(weighted[0].Model, pairs, unknown);
    }

    private static KerasMatch Match(string model, List<(KerasLayer File, NetworkLayer Network)> pairs, List<string> unknown)
    {
        var partOf = new Dictionary<string, TensorPart>(StringComparer.Ordinal);
        foreach (var (layer, (_, parameters)) in pairs)
        {
            foreach (var (tensor, parameter) in layer.TensorNames.Zip(parameters)) partOf.TryAdd(parameter.Key, new([tensor]));
            unknown.AddRange(layer.TensorNames.Skip(parameters.Count));
        }
        return new(model, partOf, unknown);
    }
}

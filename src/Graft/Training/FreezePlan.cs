using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Graft.Networks;

namespace Graft.Training;

/// <summary>What a batch norm normalizes by while the network trains.</summary>
public enum BatchNormMode
{
    /// <summary>
    /// By its moving statistics, which stay as they are; scale and shift may still be learned. What Keras's transfer-learning guide
    /// argues for when pretrained layers are unfrozen: statistics of small batches would destroy what the network has learned.
    /// </summary>
    Inference,

    /// <summary>By the statistics of the batch, which move the moving ones: for new layers, and for training from scratch.</summary>
    Training,
}

/// <summary>What training does to one layer.</summary>
/// <param name="Index">Position in the network, from 0, as in <see cref="LayerTable"/> and in Keras's <c>model.layers</c>.</param>
/// <param name="Name">The layer's name.</param>
/// <param name="Kind">What it computes.</param>
/// <param name="IsTrained">Whether its weights, if it has any, are learned.</param>
/// <param name="BatchNorm">How a batch norm runs; null for any other layer.</param>
/// <param name="Parameters">Its weights that can be learned.</param>
/// <param name="Statistics">Its moving means and variances.</param>
/// <param name="TrainedParameters">Those of its weights that are learned.</param>
public sealed record LayerPlan(
    int Index, string Name, string Kind, bool IsTrained, BatchNormMode? BatchNorm, long Parameters, long Statistics, long TrainedParameters);

/// <summary>Which weights of the pretrained layers that are trained learn.</summary>
[JsonConverter(typeof(LowerCaseEnumConverter<TunedWeights>))]
public enum TunedWeights
{
    All,

    /// <summary>Scale and shift of normalizations alone (Frankle, Schwab and Morcos 2021, arXiv:2003.00152).</summary>
    Norms,

    /// <summary>What is added after kernels, and the shift of normalizations (BitFit, Ben Zaken et al. 2022, arXiv:2106.10199).</summary>
    Biases,
}

/// <summary>
/// Which layers of a network learn and which stay as they are. A frozen layer keeps its weights and its moving statistics bit for bit
/// and runs in inference mode, dropout included. Immutable: each change gives another plan.
/// </summary>
/// <remarks>
/// Layers are named by name or block (<c>features.14</c>), by glob (<c>features.1*</c>, <c>block5_conv?</c>), by number (<c>17</c>) or by
/// a range of numbers whose end is not part of it (<c>0..172</c> is Keras's <c>model.layers[0:172]</c>), several separated by commas.
/// </remarks>
public sealed class FreezePlan
{
    private readonly bool[] _trained;
    private readonly BatchNormMode[] _modes;
    private readonly TunedWeights[] _tuned;

    private FreezePlan(Network network, bool[] trained, BatchNormMode[] modes, TunedWeights[] tuned)
    {
        (Network, _trained, _modes, _tuned) = (network, trained, modes, tuned);
        var table = LayerTable.Of(network);
        var learned = network.Parameters.Where(parameter => !parameter.IsStatistic).ToLookup(parameter => parameter.Layer, StringComparer.Ordinal);
        Layers = [.. table.Rows.Select(row => new LayerPlan(
            row.Index, row.Name, row.Kind, trained[row.Index],
            network.Layers[row.Index].Operation is BatchNorm ? trained[row.Index] ? modes[row.Index] : BatchNormMode.Inference : null,
            row.Parameters, row.Statistics,
            trained[row.Index] ? learned[row.Name].Where(parameter => IsTuned(parameter, tuned[row.Index])).Sum(parameter => (long)parameter.ElementCount) : 0))];
    }

    public Network Network { get; }

    /// <summary>One entry per layer, in order.</summary>
    public IReadOnlyList<LayerPlan> Layers { get; }

    /// <summary>Numbers that training changes by gradient.</summary>
    public long TrainableParameters => Layers.Sum(layer => layer.TrainedParameters);

    /// <summary>All other numbers, moving statistics among them, as Keras counts them.</summary>
    public long FrozenParameters => Layers.Sum(layer => layer.Parameters + layer.Statistics) - TrainableParameters;

    /// <summary>Every layer frozen.</summary>
    public static FreezePlan All(Network network) =>
        new(network, new bool[network.Layers.Count], new BatchNormMode[network.Layers.Count], new TunedWeights[network.Layers.Count]);

    /// <summary>Every layer trained; batch norms run in inference mode unless told otherwise.</summary>
    public static FreezePlan None(Network network, BatchNormMode batchNorm = BatchNormMode.Inference) =>
        All(network).Unfreeze("*").WithBatchNorm(batchNorm);

    /// <summary>These layers frozen too.</summary>
    /// <exception cref="GraftException">No such layer; names the nearest.</exception>
    public FreezePlan Freeze(string layers) => With(Select(layers), isTrained: false);

    /// <summary>The layers of these numbers frozen too: <c>Freeze(..172)</c>.</summary>
    public FreezePlan Freeze(Range layers) => With(Select(layers), isTrained: false);

    /// <summary>These layers trained too.</summary>
    /// <exception cref="GraftException">No such layer; names the nearest.</exception>
    public FreezePlan Unfreeze(string layers) => With(Select(layers), isTrained: true);

    /// <summary>The layers of these numbers trained too: <c>Unfreeze(249..)</c>.</summary>
    public FreezePlan Unfreeze(Range layers) => With(Select(layers), isTrained: true);

    /// <summary>This layer (or a block's first layer) trained, and all that stand after it in the layer table.</summary>
    /// <exception cref="GraftException">No such layer; names the nearest.</exception>
    public FreezePlan UnfreezeFrom(string layerOrBlock) =>
        With(Enumerable.Range(0, _trained.Length).Skip(Select(layerOrBlock).Min()), isTrained: true);

    /// <summary>How these layers' batch norms run where they are trained.</summary>
    public FreezePlan WithBatchNorm(BatchNormMode mode, string layers = "*")
    {
        var modes = (BatchNormMode[])_modes.Clone();
        foreach (var index in Select(layers)) modes[index] = mode;
        return new(Network, _trained, modes, _tuned);
    }

    /// <summary>Which weights of these layers learn where they are trained.</summary>
    public FreezePlan WithTuned(TunedWeights tuned, string layers = "*")
    {
        var weights = (TunedWeights[])_tuned.Clone();
        foreach (var index in Select(layers)) weights[index] = tuned;
        return new(Network, _trained, _modes, weights);
    }

    /// <summary>
    /// The last layer whose output training never changes and that alone feeds what follows: its activations can be computed once and
    /// kept (<see cref="Network.CutAfter"/>), and training starts after it (<see cref="Network.StartAfter"/>). The image where the
    /// first layer is trained already.
    /// </summary>
    public string Boundary()
    {
        var numbers = Network.Layers.Select((layer, index) => (layer.Name, index))
            .ToDictionary(pair => pair.Name, pair => pair.index, StringComparer.Ordinal);
        var needed = new bool[Network.Layers.Count];
        for (var boundary = Network.Layers.Count - 2; boundary > 0; boundary--)
        {
            Array.Clear(needed);
            needed[boundary] = true;
            for (var index = boundary; index >= 0; index--)
                if (needed[index])
                    foreach (var input in Network.Layers[index].Inputs) needed[numbers[input]] = true;
            var rests = Enumerable.Range(0, boundary + 1).All(index => !needed[index] || !Changes(index));
            var isOnlyWay = Enumerable.Range(0, needed.Length).Where(index => !needed[index])
                .All(index => Network.Layers[index].Inputs.All(input => numbers[input] == boundary || !needed[numbers[input]]));
            if (rests && isOnlyWay) return Network.Layers[boundary].Name;
        }
        return Network.Layers[0].Name;
    }

    /// <summary>The same plan for a part of the network, such as what stands after <see cref="Boundary"/>.</summary>
    /// <param name="part">A network of layers of this one; an input layer in place of a layer counts as frozen.</param>
    public FreezePlan For(Network part)
    {
        var numbers = Network.Layers.Select((layer, index) => (layer.Name, index))
            .ToDictionary(pair => pair.Name, pair => pair.index, StringComparer.Ordinal);
        return new(
            part,
            [.. part.Layers.Select(layer => layer.Operation is not Input && _trained[numbers[layer.Name]])],
            [.. part.Layers.Select(layer => _modes[numbers[layer.Name]])],
            [.. part.Layers.Select(layer => _tuned[numbers[layer.Name]])]);
    }

    /// <summary>Prepares a module for training by this plan: gradients for what learns only, and each layer's mode.</summary>
    public void ApplyTo(TorchNetwork module) => module.TrainOnly(
        Network.Parameters.Where(parameter => Network.IndexOf(parameter.Layer) is var layer && _trained[layer] && IsTuned(parameter, _tuned[layer]))
            .Select(parameter => parameter.Key).ToHashSet(StringComparer.Ordinal),
        Layers.Where(layer => !layer.IsTrained || layer.BatchNorm == BatchNormMode.Inference)
            .Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal));

    /// <summary><c>frozen 14,714,688 · trainable 133,122</c>.</summary>
    public string Summary() =>
        string.Create(CultureInfo.InvariantCulture, $"frozen {FrozenParameters:N0} · trainable {TrainableParameters:N0}");

    /// <summary>
    /// A table for a person that ends with <see cref="Summary"/>: a line for each layer with weights or dropout or, shorter, for each run
    /// of layers that are treated alike.
    /// </summary>
    public string ToText(bool everyLayer = false)
    {
        var rows = new List<(string Numbers, string Names, string State, string Norm, string Parameters)>
        {
            ("layers", "", "", "batch norm", "parameters"),
        };
        var shown = Layers.Where(layer => everyLayer
            ? layer.Parameters > 0 || Network.Layers[layer.Index].Operation is Dropout
            : layer.Index > 0).ToList();
        for (var start = 0; start < shown.Count;)
        {
            var end = start + 1;
            while (!everyLayer && end < shown.Count && StateOf(shown[end]) == StateOf(shown[start])) end++;
            var run = shown[start..end];
            var modes = run.Select(layer => layer.BatchNorm).OfType<BatchNormMode>().ToList();
            rows.Add((
                run.Count == 1 ? $"{run[0].Index}" : $"{run[0].Index}..{run[^1].Index}",
                run.Count == 1 ? run[0].Name : $"{run[0].Name} … {run[^1].Name}",
                StateOf(run[0]),
                string.Join(", ", modes.CountBy(mode => mode).Select(mode =>
                    run.Count == 1 ? ModeName(mode.Key) : $"{mode.Value} × {ModeName(mode.Key)}")),
                (run.Sum(layer => layer.Parameters + layer.Statistics)).ToString("N0", CultureInfo.InvariantCulture)));
            start = end;
        }
        var text = new StringBuilder();
        foreach (var row in rows)
        {
            text.AppendLine(
                $"{row.Numbers.PadLeft(rows.Max(other => other.Numbers.Length))}  {row.Names.PadRight(rows.Max(other => other.Names.Length))}  "
                + $"{row.State.PadRight(rows.Max(other => other.State.Length))}  {row.Norm.PadRight(rows.Max(other => other.Norm.Length))}  "
                + row.Parameters.PadLeft(rows.Max(other => other.Parameters.Length)));
        }
        return text.Append(Summary()).ToString();
    }

    public override string ToString() => ToText();

    private string StateOf(LayerPlan layer) => !layer.IsTrained ? "frozen" : _tuned[layer.Index] switch
    {
        TunedWeights.All => "trained",
        TunedWeights.Norms => "norms trained",
        _ => "biases trained",
    };

    private static bool IsTuned(Parameter parameter, TunedWeights tuned) => tuned switch
    {
        TunedWeights.All => true,
        TunedWeights.Norms => parameter.Role is ParameterRole.Gamma or ParameterRole.Beta,
        _ => parameter.Role is ParameterRole.Bias or ParameterRole.Beta,
    };

    private static string ModeName(BatchNormMode mode) => mode == BatchNormMode.Inference ? "inference" : "training";

    /// <summary>Whether a layer's output for the same input differs from one step of training to another.</summary>
    private bool Changes(int index) => Layers[index] is var layer && layer.IsTrained
        && (layer.TrainedParameters > 0 || Network.Layers[index].Operation is Dropout || layer.BatchNorm == BatchNormMode.Training);

    private FreezePlan With(IEnumerable<int> layers, bool isTrained)
    {
        var trained = (bool[])_trained.Clone();
        foreach (var index in layers) trained[index] = isTrained;
        return new(Network, trained, _modes, _tuned);
    }

    private List<int> Select(string patterns) =>
        [.. patterns.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).SelectMany(SelectOne).Distinct()];

    private IReadOnlyList<int> SelectOne(string pattern)
    {
        if (pattern.Split("..") is [var first, var last] && IsNumberOrNothing(first) && IsNumberOrNothing(last))
            return Select(new Range(
                first.Length == 0 ? Index.Start : int.Parse(first, CultureInfo.InvariantCulture),
                last.Length == 0 ? Index.End : int.Parse(last, CultureInfo.InvariantCulture)));
        // As for cutting, a layer of that name goes before a block: 'features' may be the pooling after the block 'features.18'.
        if (Network.Layers.Select((layer, index) => (layer.Name, index)).FirstOrDefault(pair => pair.Name == pattern) is (not null, var exact))
            return [exact];
        var glob = new Regex(
            "^" + Regex.Escape(pattern).Replace(@"\*", ".*", StringComparison.Ordinal).Replace(@"\?", ".", StringComparison.Ordinal)
            + (pattern.AsSpan().IndexOfAny('*', '?') < 0 ? @"([./].*)?$" : "$"),
            RegexOptions.CultureInvariant);
        var named = Enumerable.Range(0, Network.Layers.Count).Where(index => glob.IsMatch(Network.Layers[index].Name)).ToList();
        if (named.Count > 0) return named;
        if (int.TryParse(pattern, NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return Select(number..(number + 1));
        Network.Find(pattern); // says what there is
        return named;
    }

    private List<int> Select(Range range)
    {
        var (start, end) = (range.Start.GetOffset(Network.Layers.Count), range.End.GetOffset(Network.Layers.Count));
        if (start < 0 || end > Network.Layers.Count || start >= end)
        {
            throw new GraftException(
                $"The layers {range} are none of network '{Network.Name}', whose layers are 0..{Network.Layers.Count} "
                + "(the number after the two dots is not part of the range).");
        }
        return [.. Enumerable.Range(start, end - start)];
    }

    private static bool IsNumberOrNothing(string text) => text.All(char.IsAsciiDigit) && text.Length < 7;
}

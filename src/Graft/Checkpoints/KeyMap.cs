using System.Text.RegularExpressions;
using Graft.Networks;

namespace Graft.Checkpoints;

/// <summary>
/// One entry of a <see cref="KeyMap"/>: where a file has a parameter. The tensors, one after the other along their first axis, are divided
/// into <see cref="Parts"/> equal parts, of which the parameter is <see cref="Part"/>. <c>*</c> stands for any text, the same in the
/// tensors' names, in order.
/// </summary>
/// <param name="Parameter">The parameter's key, such as <c>blocks.*.attention.query.weight</c>.</param>
/// <param name="Tensors">The names in the file: one, or several of which the parameter is packed.</param>
public sealed record KeyRule(string Parameter, params IReadOnlyList<string> Tensors)
{
    /// <summary>Counted from 0. Of torchvision's <c>in_proj_weight</c> (query, key, value), the key is part 1 of 3.</summary>
    public int Part { get; init; }

    /// <summary>Default 1: the parameter is all of the tensors.</summary>
    public int Parts { get; init; } = 1;

    /// <summary>Whether the file has a matrix as [input, output], which the parameter has as [output, input].</summary>
    public bool IsTransposed { get; init; }

    // Made when a file is read, not with the catalog: it takes megabytes.
    private readonly Lazy<Regex> _pattern = new(() => new(
        $"^{string.Join("(.+?)", Parameter.Split('*').Select(Regex.Escape))}$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking));

    /// <summary>Null where the rule is for other parameters.</summary>
    internal TensorPart? Apply(string key) => _pattern.Value.Match(key) is { Success: true } match
        ? new([.. Tensors.Select(tensor => Fill(tensor, match))], Part, Parts, IsTransposed)
        : null;

    private static string Fill(string tensor, Match match)
    {
        var pieces = tensor.Split('*');
        return string.Concat(pieces.Select((piece, index) => index == 0 ? piece : match.Groups[index].Value + piece));
    }
}

/// <summary>How files of another origin name, pack and split a network's tensors.</summary>
public sealed class KeyMap
{
    private readonly Func<Parameter, TensorPart> _partOf;

    private KeyMap(Func<Parameter, TensorPart> partOf) => _partOf = partOf;

    /// <summary>How the names of tensors begin that such files hold beside the network's, and that are passed over.</summary>
    internal IReadOnlyList<string> PassedOver { get; private init; } = [];

    /// <summary>The same for files with tensors of something else, whose names begin so.</summary>
    internal KeyMap PassingOver(params IReadOnlyList<string> beginnings) => new(_partOf) { PassedOver = beginnings };

    /// <summary>Names as <see cref="Parameter.Key"/> gives them, each tensor in its own shape.</summary>
    internal static KeyMap Own { get; } = new(parameter => new([parameter.Key]));

    /// <summary>
    /// What the files call layers, or single tensors by their keys. Tensors may have other shapes, as long as the output axis and the order of
    /// the numbers are the same: [4096, 25088] and [4096, 512, 7, 7].
    /// </summary>
    public static KeyMap OfNames(IReadOnlyDictionary<string, string> names) => new(parameter => new(
    [
        names.TryGetValue(parameter.Key, out var key) ? key
        : names.TryGetValue(parameter.Layer, out var layer) ? (parameter with { Layer = layer }).Key
        : parameter.Key,
    ]));

    /// <summary>The first rule that fits a parameter's key applies; a key without one is the tensor's name. Shapes as in <see cref="OfNames"/>.</summary>
    public static KeyMap Of(params IReadOnlyList<KeyRule> rules) => new(parameter =>
        rules.Select(rule => rule.Apply(parameter.Key)).FirstOrDefault(part => part is not null) ?? new([parameter.Key]));

    internal TensorPart PartOf(Parameter parameter) => _partOf(parameter);
}

/// <summary>Tensors, one after the other along their first axis, or one of equal parts of them.</summary>
internal sealed record TensorPart(IReadOnlyList<string> Tensors, int Part = 0, int Parts = 1, bool IsTransposed = false)
{
    public bool IsWholeTensor => Tensors.Count == 1 && Parts == 1 && !IsTransposed;

    public override string ToString() =>
        string.Join(" + ", Tensors.Select(tensor => $"'{tensor}'")) + (Parts == 1 ? "" : $", part {Part + 1} of {Parts}");
}

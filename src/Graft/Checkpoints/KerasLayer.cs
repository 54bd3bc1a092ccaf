namespace Graft.Checkpoints;

/// <summary>A layer of a Keras file and the keys of its weights, if any, in the file's order.</summary>
/// <param name="Name">
/// The layer's name; in a Keras 3 file that does not state it, the name that the file keeps the layer under, such as <c>conv2d_1</c>.
/// </param>
/// <param name="TensorNames">The keys of its weights.</param>
public sealed record KerasLayer(string Name, IReadOnlyList<string> TensorNames)
{
    /// <summary>The model that the layer is a part of: empty for the file's own, else the path of a model used as a layer.</summary>
    internal string Model { get; init; } = "";

    /// <summary>
    /// What Keras 3 counts its layers by, such as <c>conv2d</c>: layers of one kind are in the model's order, but not beside those of
    /// another. Null in older files, which have all layers in order.
    /// </summary>
    internal string? Kind { get; init; }
}

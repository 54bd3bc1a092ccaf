namespace Graft.Networks;

/// <summary>One line of a network's layer table.</summary>
/// <param name="Index">Position in the network, from 0.</param>
/// <param name="Name">As in the framework that trained the weights.</param>
/// <param name="Kind">What the layer computes.</param>
/// <param name="OutputShape">For one image.</param>
/// <param name="Parameters">Learned numbers.</param>
/// <param name="Statistics">Measured numbers: the moving means and variances of batch norm.</param>
/// <param name="MultiplyAdds">Multiply-accumulate operations for one image.</param>
public sealed record LayerRow(
    int Index, string Name, string Kind, TensorShape OutputShape, long Parameters, long Statistics, long MultiplyAdds);

/// <summary>The layers of a network with shapes, sizes and cost, derived from its description; allocates no weights.</summary>
public sealed class LayerTable
{
    private LayerTable(IReadOnlyList<LayerRow> rows) => Rows = rows;

    public IReadOnlyList<LayerRow> Rows { get; }

    public long Parameters => Rows.Sum(row => row.Parameters);

    public long Statistics => Rows.Sum(row => row.Statistics);

    public long MultiplyAdds => Rows.Sum(row => row.MultiplyAdds);

    public static LayerTable Of(Network network) => new([.. network.Layers.Select((layer, index) =>
    {
        var inputs = network.InputShapes(layer);
        var output = network.ShapeOf(layer.Name);
        var parameters = layer.Operation.Parameters(layer.Name, inputs).ToList();
        return new LayerRow(
            index, layer.Name, layer.Operation.Kind, output,
            parameters.Where(parameter => !parameter.IsStatistic).Sum(parameter => (long)parameter.ElementCount),
            parameters.Where(parameter => parameter.IsStatistic).Sum(parameter => (long)parameter.ElementCount),
            layer.Operation.MultiplyAdds(inputs, output));
    })]);
}

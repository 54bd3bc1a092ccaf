using Graft.Classifiers;
using TorchSharp;
using static TorchSharp.torch;

namespace Graft.Tests.Classifiers;

public sealed class WidenedProductsTests
{
    [Theory]
    [InlineData(5, 300, 1281)]
    [InlineData(1, 1, 3)]
    [InlineData(2, 7, 16)]
    public void Products_are_those_of_the_widened_matrix(int few, int rows, int columns)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var matrix = randn([rows, columns], ScalarType.Float32, generator: generator);
        var byColumns = randn([few, columns], ScalarType.Float64, generator: generator);
        var byRows = randn([few, rows], ScalarType.Float64, generator: generator);
        var wide = matrix.to_type(ScalarType.Float64);

        var (withRows, withColumns) = (WidenedProducts.WithRows(byColumns, matrix), WidenedProducts.WithColumns(byRows, matrix));

        // float32 anywhere would be off by 1e-6.
        Assert.InRange((withRows - byColumns.mm(wide.t())).abs().max().ToDouble(), 0, 1e-12);
        Assert.InRange((withColumns - byRows.mm(wide)).abs().max().ToDouble(), 0, 1e-12);
    }
}

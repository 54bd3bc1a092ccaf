using Graft.Classifiers;
using TorchSharp;
using static TorchSharp.torch;

namespace Graft.Tests.Classifiers;

public sealed class NewtonSystemTests
{
    private const int Classes = 3;

    public static TheoryData<int, int, bool, bool> Sizes => new()
    {
        { 300, 21, true, true },
        { 300, 21, true, false },
        { 45, 16, false, true },
        { 1, 3, false, false }, // Fewer images than are read at once
        { 6, 2, true, true },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void The_direction_solves_the_dense_system(int images, int columns, bool isLogistic, bool hasFactor)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var features = randn([images, columns], ScalarType.Float32, generator: generator);
        var outputs = randn([Classes, images], ScalarType.Float64, generator: generator);
        var gradient = randn([Classes, columns], ScalarType.Float32, generator: generator);
        int[] labels = [.. Enumerable.Range(0, images).Select(image => image % Classes)];
        float[] ridge = [.. Enumerable.Repeat(1f, columns - 1), 0.5f];
        LinearLoss loss = isLogistic
            ? new CrossEntropy(labels, Classes, [.. labels.Select(label => label + 1.0)])
            : new SquaredHinge(labels, [1, 2, 3], c: 0.7);
        var gram = features.t().mm(features).add(tensor(ridge).diag());
        var preconditioner = hasFactor ? linalg.cholesky(gram) : gram.diagonal().clone();

        var (direction, _) = new NewtonSystem(features, ridge, loss.Curvature(outputs), preconditioner, Classes)
            .Solve(gradient.ToFloats(), accuracy: 1e-6);

        // The whole Hessian, from the loss's gradient by finite differences of the outputs: no formula of the product's is used twice.
        var wide = features.to_type(ScalarType.Float64);
        var hessian = tensor(ridge).to_type(ScalarType.Float64).repeat(Classes).diag();
        for (var label = 0; label < Classes; label++)
        {
            const double Step = 1e-6;
            var shift = zeros_like(outputs);
            shift[label] = ones([images], ScalarType.Float64);
            var change = (loss.Gradient(outputs + shift * Step) - loss.Gradient(outputs - shift * Step)) / (2 * Step);
            for (var other = 0; other < Classes; other++)
            {
                hessian.narrow(0, other * columns, columns).narrow(1, label * columns, columns)
                    .add_(wide.t().mm(wide * change[other].unsqueeze(1)));
            }
        }
        var expected = linalg.solve(hessian, -gradient.to_type(ScalarType.Float64).flatten());
        var off = (tensor(direction).to_type(ScalarType.Float64) - expected).norm().ToDouble() / expected.norm().ToDouble();
        Assert.InRange(off, 0, 1e-4); // Conjugate gradients in float32 to 1e-6, times the system's condition
    }

    [Theory]
    [InlineData(50, 14, true)]
    [InlineData(4, 4, false)]
    public void A_preconditioner_that_is_the_system_needs_one_product(int images, int columns, bool hasFactor)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var features = hasFactor ? randn([images, columns], ScalarType.Float32, generator: generator) : eye(images) * 3;
        var system = features.t().mm(features).add(eye(columns));
        int[] labels = [.. Enumerable.Range(0, images).Select(image => image % Classes)];
        // With outputs of 0 every image counts 2·c for every class.
        var curvature = new SquaredHinge(labels, [1, 1, 1], c: 0.5).Curvature(zeros([Classes, images], ScalarType.Float64));
        var gradient = randn([Classes, columns], ScalarType.Float32, generator: generator);

        var (_, products) = new NewtonSystem(
                features, [.. Enumerable.Repeat(1f, columns)], curvature, hasFactor ? linalg.cholesky(system) : system.diagonal().clone(), Classes)
            .Solve(gradient.ToFloats(), accuracy: 1e-5);

        Assert.Equal(1, products);
    }
}

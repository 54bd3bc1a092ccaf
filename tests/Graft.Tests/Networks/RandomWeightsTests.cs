using Graft.Networks;

namespace Graft.Tests.Networks;

public class RandomWeightsTests
{
    private static float[] Read(int seed, Parameter parameter)
    {
        var values = new float[parameter.ElementCount];
        new RandomWeights(seed).Read(parameter, values);
        return values;
    }

    private static readonly Parameter Kernel = new("conv", ParameterRole.Kernel, [64, 8, 3, 3]);

    [Fact]
    public void Same_seed_gives_the_same_numbers_and_another_seed_others()
    {
        Assert.Equal(Read(1, Kernel), Read(1, Kernel));
        Assert.NotEqual(Read(1, Kernel), Read(2, Kernel));
        Assert.NotEqual(Read(-1, Kernel), Read(1, Kernel));
    }

    [Fact]
    public void Numbers_are_the_same_in_every_version() =>
        Assert.Equal(Frozen, Read(1, Kernel)[..3]);

    private static readonly float[] Frozen = [0.129244924f, -0.176783457f, 0.179877058f];

    [Fact]
    public void Numbers_depend_on_the_key_and_not_on_what_was_read_before()
    {
        var weights = new RandomWeights(1);
        var (first, again) = (new float[Kernel.ElementCount], new float[Kernel.ElementCount]);
        weights.Read(Kernel, first);
        weights.Read(Kernel with { Layer = "other" }, again);
        Assert.NotEqual(first, again);

        weights.Read(Kernel, again);

        Assert.Equal(first, again);
    }

    [Fact]
    public void Kernels_are_He_normal()
    {
        var values = Read(1, Kernel);
        var deviation = Math.Sqrt(2.0 / (8 * 3 * 3));

        // 4,608 draws: the mean's standard error is 1.5 %, the deviation's 1.04 % of the deviation; four of each.
        Assert.Equal(0, values.Average(), 0.06 * deviation);
        Assert.Equal(deviation, Math.Sqrt(values.Average(value => (double)value * value)), 0.042 * deviation);
    }

    [Fact]
    public void Dense_kernels_are_Glorot_uniform()
    {
        var values = Read(1, new("dense", ParameterRole.DenseKernel, [100, 50]));
        var limit = Math.Sqrt(6.0 / 150);

        Assert.InRange(values.Max(), 0.99 * limit, limit);
        Assert.InRange(values.Min(), -limit, -0.99 * limit);
    }

    [Theory]
    [InlineData(ParameterRole.Bias, 0)]
    [InlineData(ParameterRole.Beta, 0)]
    [InlineData(ParameterRole.MovingMean, 0)]
    [InlineData(ParameterRole.Gamma, 1)]
    [InlineData(ParameterRole.MovingVariance, 1)]
    [InlineData(ParameterRole.LayerScale, 1)]
    public void Normalizations_begin_as_identities(ParameterRole role, float expected) =>
        Assert.All(Read(1, new("layer", role, [5])), value => Assert.Equal(expected, value));

    [Fact]
    public void Tuning_libtorch_twice_changes_nothing()
    {
        LibtorchTuning.Apply();
        LibtorchTuning.Apply();

        using var sum = TorchSharp.torch.tensor([1f, 2f]).sum();
        Assert.Equal(3, sum.item<float>());
    }

    [Fact]
    public void Fingerprint_tells_weights_and_networks_apart()
    {
        static Network Of(int filters, string name = "net")
        {
            var builder = new NetworkBuilder(name);
            return builder.Build(builder.Input("image", 3, 8).Convolution("conv", filters, 3));
        }

        var fingerprint = new RandomWeights(1).Fingerprint(Of(4));

        Assert.Equal(fingerprint, new RandomWeights(1).Fingerprint(Of(4)));
        Assert.NotEqual(fingerprint, new RandomWeights(2).Fingerprint(Of(4)));
        Assert.NotEqual(fingerprint, new RandomWeights(1).Fingerprint(Of(4).WithInputSize(9, 9)));
        Assert.NotEqual(fingerprint, new RandomWeights(1).Fingerprint(Of(5)));
    }

    [Fact]
    public void Combined_weights_take_each_layer_from_its_source()
    {
        var combined = new CombinedWeights(new RandomWeights(1), new HashSet<string> { "conv" }, new RandomWeights(2));
        var (mine, rest) = (new float[Kernel.ElementCount], new float[Kernel.ElementCount]);

        combined.Read(Kernel, mine);
        combined.Read(Kernel with { Layer = "other" }, rest);

        Assert.Equal(Read(1, Kernel), mine);
        Assert.Equal(Read(2, Kernel with { Layer = "other" }), rest);
    }
}

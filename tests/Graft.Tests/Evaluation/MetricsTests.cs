using Graft.Evaluation;

namespace Graft.Tests.Evaluation;

public class MetricsTests
{
    private static readonly double[] Probabilities = [.7, .2, .1, .1, .6, .3, 0, .5, .5, 1, 0, 0];
    private static readonly float[] Singles = [.. Probabilities.Select(value => (float)value)];

    // scikit-learn 1.2.1's log_loss in both precisions: the sure, wrong third answer costs -ln of the type's epsilon.
    [Fact]
    public void Log_loss_agrees_with_scikit_learn_in_both_precisions()
    {
        Assert.Equal(9.22778848920547, Metrics.LogLoss<double>(Probabilities, [0, 1, 0, 0]), 1e-12);
        Assert.Equal(4.20247151387621, Metrics.LogLoss<float>(Singles, [0, 1, 0, 0]), 1e-7);
    }

    [Fact]
    public void Log_loss_of_a_fair_guess_is_the_logarithm_of_the_class_count() =>
        Assert.Equal(Math.Log(4), Metrics.LogLoss<double>([.25, .25, .25, .25], [2]), 1e-15);

    [Fact]
    public void A_number_that_is_none_is_not_hidden() =>
        Assert.True(double.IsNaN(Metrics.LogLoss<float>([float.NaN, 1], [0])));

    [Theory]
    [InlineData(1, 0.5)]
    [InlineData(2, 0.75)]
    [InlineData(3, 1.0)]
    [InlineData(9, 1.0)]
    public void The_true_class_is_sought_among_the_k_most_probable(int k, double expected) =>
        Assert.Equal(expected, Metrics.TopKAccuracy<double>(Probabilities, [0, 2, 0, 0], k));

    [Fact]
    public void Of_equal_probabilities_the_smaller_class_comes_first()
    {
        Assert.Equal(1, Metrics.TopKAccuracy<double>([0, .5, .5], [1], 1));
        Assert.Equal(0, Metrics.TopKAccuracy<double>([0, .5, .5], [2], 1));
    }

    [Fact]
    public void Not_a_number_is_never_a_hit() =>
        Assert.Equal(0, Metrics.TopKAccuracy<float>([float.NaN, float.NaN], [0], 1));

    [Fact]
    public void Shapes_that_do_not_fit_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Metrics.LogLoss<double>([.5, .5, .5], [0, 1]));
        Assert.Throws<ArgumentException>(() => Metrics.LogLoss<double>([], []));
        Assert.Throws<ArgumentOutOfRangeException>(() => Metrics.TopKAccuracy<double>([.5, .5], [2], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Metrics.TopKAccuracy<double>([.5, .5], [0], 0));
    }
}

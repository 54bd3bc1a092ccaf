using Graft.Evaluation;

namespace Graft.Tests.Evaluation;

public class DiscriminationTests
{
    /// <summary>Expected values of scikit-learn 1.2.1.</summary>
    [Fact]
    public void Equal_scores_are_one_threshold()
    {
        var one = Discrimination.Of([0.9, 0.8, 0.8, 0.5, 0.5, 0.3, 0.3], [true, false, true, true, false, false, true]);

        Assert.Equal(0.625, one.RocAuc, 1e-12);
        Assert.Equal(0.7095238095238094, one.AveragePrecision, 1e-12);
        Assert.Equal(5, one.Roc.Count);
        Assert.Equal((0, 0), (one.Roc[0].FalsePositiveRate, one.Roc[0].TruePositiveRate));
        Assert.Equal((1, 1), (one.Roc[^1].FalsePositiveRate, one.Roc[^1].TruePositiveRate));
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public void Perfect_order_has_area_one_and_its_reverse_none(bool highIsPositive, double area)
    {
        var one = Discrimination.Of([0.1, 0.2, 0.8, 0.9], [!highIsPositive, !highIsPositive, highIsPositive, highIsPositive]);

        Assert.Equal(area, one.RocAuc);
    }

    [Fact]
    public void Nothing_is_told_apart_where_one_class_is_missing()
    {
        Assert.True(double.IsNaN(Discrimination.Of([0.1, 0.2], [true, true]).RocAuc));
        Assert.True(double.IsNaN(Discrimination.Of([0.1, 0.2], [false, false]).AveragePrecision));
    }

    [Fact]
    public void Mean_area_leaves_absent_classes_out()
    {
        var result = EvaluationResult.Of(
            ["a", "b", "never"], [0, 1, 0, 1], [[0.9f, 0.1f, 0], [0.2f, 0.8f, 0], [0.7f, 0.3f, 0], [0.4f, 0.6f, 0]]);

        Assert.Equal(1, result.RocAuc);
        Assert.Equal(1, result.TopKAccuracy(1));
    }
}

using Graft.Classifiers;
using Graft.Selection;

namespace Graft.Tests.Selection;

public class LearningCurveTests
{
    [Theory]
    [InlineData(0.05, 0.6, 0.5)]
    [InlineData(0, 0.4, 0.3)]
    [InlineData(0.1, 0.3, 1)]
    public void Law_of_errors_that_follow_it_is_found(double floor, double scale, double exponent)
    {
        var truth = new PowerLaw(floor, scale, exponent);

        var law = PowerLaw.Fit([.. ((double[])[5, 10, 20, 50, 100]).Select(photos => (photos, (IReadOnlyList<double>)[truth.Error(photos), truth.Error(photos)]))]);

        Assert.Equal(truth.Error(200), law.Error(200), 1e-6);
        Assert.Equal(exponent, law.Exponent, 1e-9);
    }

    [Fact]
    public void Errors_that_do_not_fall_have_a_law_that_does_not_either()
    {
        var law = PowerLaw.Fit([(5, [0.2, 0.2]), (10, [0.21, 0.2]), (20, [0.22, 0.22])]);

        Assert.Equal(0, law.Scale);
        Assert.InRange(law.Error(1000), 0.2, 0.22);
    }

    [Fact]
    public void More_photos_are_forecast_within_the_interval_of_the_draws()
    {
        var random = new Random(1);
        int[] labels = [.. Enumerable.Range(0, 150).Select(image => image % 3)];
        float[][] rows = [.. labels.Select(label => Enumerable.Range(0, 20).Select(feature => (float)((feature % 3 == label ? 1 : 0) + 4 * (random.NextDouble() - 0.5))).ToArray())];

        var curve = LearningCurve.Of("a", new LogisticRegression { C = 0.01 }, rows, labels, ["a", "b", "c"], cancellation: TestContext.Current.CancellationToken);

        Assert.Equal([1, 2, 5, 10, 20, 40], curve.Points.Select(point => point.Photos));
        Assert.True(curve.Points[^1].Accuracy > curve.Points[0].Accuracy + 0.1);
        var forecast = curve.Forecast(40);
        Assert.InRange(curve.Points[^1].Accuracy, forecast.Interval.Low, forecast.Interval.High);
        Assert.True(curve.Forecast(100).Accuracy >= forecast.Accuracy);
        Assert.Matches("With 20 photos of a class [0-9]+ %, with all 50 [0-9]+ %; twice as many would bring about [0-9.]+ points", curve.Summary());
        Assert.Contains("of 10 draws", curve.Summary(), StringComparison.Ordinal);
    }

    [Fact]
    public void Too_few_photos_are_said_to_be_too_few()
    {
        var curve = LearningCurve.Of("a", new NearestClassMean { Calibrate = false }, [[1f], [2f], [5f], [6f]], [0, 0, 1, 1], ["a", "b"], cancellation: TestContext.Current.CancellationToken);

        Assert.Contains("too few photos", curve.Summary(), StringComparison.Ordinal);
    }

    [Fact]
    public void Episodes_learn_from_so_many_photos_and_classify_others()
    {
        var random = new Random(2);
        int[] labels = [.. Enumerable.Range(0, 60).Select(image => image % 6)];
        float[][] rows = [.. labels.Select(label => Enumerable.Range(0, 12).Select(feature => (float)((feature % 6 == label ? 1 : 0) + 1.5 * (random.NextDouble() - 0.5))).ToArray())];
        EpisodeScore Run(int shot) => new EpisodeOptions { Way = 3, Shot = shot, Episodes = 40 }.Run(rows, labels, 1, cancellation: TestContext.Current.CancellationToken);

        var (one, five) = (Run(1), Run(5));

        Assert.True(five.Accuracy > one.Accuracy);
        Assert.InRange(one.HalfWidth, 1e-4, 0.2);
        Assert.Equal(one, Run(1));
        Assert.Contains("need as many", Assert.Throws<GraftException>(() => Run(10)).Message, StringComparison.Ordinal);
    }
}

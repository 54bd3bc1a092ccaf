using Graft.Evaluation;
using Graft.Evaluation.Charts;
using Graft.Imaging;
using Graft.Training;

namespace Graft.Tests.Evaluation;

public class ChartTests
{
    private static EvaluationResult Result(int classes)
    {
        var random = new Random(3);
        int[] labels = [.. Enumerable.Range(0, 40 * classes).Select(i => i % classes)];
        return EvaluationResult.Of(
            [.. Enumerable.Range(0, classes).Select(i => $"class {i}")],
            labels,
            [.. labels.Select(label =>
            {
                var row = Enumerable.Range(0, classes).Select(i => random.NextDouble() + (i == label ? 0.7 : 0)).ToArray();
                return row.Select(value => (float)(value / row.Sum())).ToArray();
            })]);
    }

    private static RgbImage Picture(Chart chart) => ImageDecoder.Decode(chart.ToPng());

    private static int Count(RgbImage picture, Func<byte, byte, byte, bool> colour) =>
        Enumerable.Range(0, picture.Width * picture.Height)
            .Count(i => colour(picture.Pixels[3 * i], picture.Pixels[3 * i + 1], picture.Pixels[3 * i + 2]));

    private static int Dark(RgbImage picture) => Count(picture, (r, g, b) => r < 80 && g < 80 && b < 80);

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(40)]
    public void Every_chart_of_a_result_is_drawn_and_grows_with_its_classes(int classes)
    {
        var result = Result(classes);

        foreach (var chart in (Chart[])[
            ResultCharts.Confusion(result.Confusion), ResultCharts.ClassScores(result.Report), ResultCharts.Reliability(result), ResultCharts.Confidences(result), ResultCharts.PrecisionRecall(result),
            ResultCharts.Roc(result)])
        {
            var picture = Picture(chart);
            Assert.InRange(picture.Width, 200, 3000);
            Assert.InRange(picture.Height, 200, 3000);
            // Letters and axes, on any machine, with fonts or without.
            Assert.True(Dark(picture) > 500, $"{Dark(picture)} dark pixels");
        }
    }

    [Fact]
    public void Confusion_is_darkest_where_a_class_is_taken_for_itself()
    {
        var sure = Picture(ResultCharts.Confusion(ConfusionMatrix.Of([0, 1], [0, 1], ["a", "b"])));
        var confused = Picture(ResultCharts.Confusion(ConfusionMatrix.Of([0, 0, 1, 1], [0, 1, 0, 1], ["a", "b"])));

        static bool DeepBlue(byte r, byte g, byte b) => b > 80 && r < 40 && g < 80;
        Assert.True(Count(sure, DeepBlue) > 2000);
        Assert.True(Count(confused, DeepBlue) < 200);
    }

    [Fact]
    public void Longer_names_get_more_room_and_endless_ones_are_shortened()
    {
        static int Width(string name) => Picture(ResultCharts.ClassScores(
            ClassificationReport.Of(ConfusionMatrix.Of([0, 1], [0, 1], [name, "b"])))).Width;

        Assert.True(Width("sunflowers") > Width("a"));
        Assert.Equal(Width(new string('n', 100)), Width(new string('n', 200)));
    }

    [Fact]
    public void Learning_curves_mark_the_best_epoch()
    {
        var history = new TrainingHistory([.. Enumerable.Range(1, 8).Select(epoch => new EpochResult(epoch, 1.0 / epoch, 0.5, 1.2 / epoch, 0.4, 1e-3, 1))], 3);

        var picture = Picture(LearningCurves.Loss(history, [4]));

        Assert.True(Count(picture, (r, g, b) => r < 40 && g is > 130 and < 190 && b is > 90 and < 140) > 100);
        Assert.NotEqual(picture.Pixels, Picture(LearningCurves.Accuracy(history)).Pixels);
    }
}

using System.Xml.Linq;
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

    private static int Count(RgbImage picture, Func<byte, byte, byte, bool> color) =>
        Enumerable.Range(0, picture.Width * picture.Height)
            .Count(i => color(picture.Pixels[3 * i], picture.Pixels[3 * i + 1], picture.Pixels[3 * i + 2]));

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
    public void A_page_and_a_file_show_the_same_drawing()
    {
        var chart = ResultCharts.Roc(Result(3));

        var svg = XElement.Parse(chart.ToSvg("ROC <of each> class"));
        Assert.Equal("ROC <of each> class", svg.Attribute("aria-label")!.Value);
        // Grid and axes, the diagonal, and a curve for each class, which says its name when pointed at.
        Assert.Equal(["class 0", "class 1", "class 2"], svg.Descendants("title").Select(title => title.Value));
        Assert.Equal(["class 0", "class 1", "class 2"], chart.Legend.Select(entry => entry.Name));
        Assert.Contains("false positive rate", svg.Elements("text").Select(text => text.Value));
        var picture = Picture(chart);
        // The same blue line in the file: 2 units wide, half as large again, and across half the chart at least.
        Assert.True(Count(picture, (r, g, b) => r < 30 && g is > 90 and < 140 && b > 150) > 500);
    }

    [Fact]
    public void Calibration_draws_no_line_through_bins_of_a_few_photos()
    {
        // 40 photos with a confidence of about 0.95 and 40 of 0.75; three with 0.85, none of them correct.
        (double Confidence, int Count, int Correct)[] groups = [(0.95, 40, 38), (0.85, 3, 0), (0.75, 40, 30)];
        var (labels, rows) = (new List<int>(), new List<float[]>());
        foreach (var (confidence, count, correct) in groups)
        {
            for (var i = 0; i < count; i++)
            {
                labels.Add(i < correct ? 0 : 1);
                rows.Add([(float)confidence, (float)(1 - confidence)]);
            }
        }
        var result = EvaluationResult.Of(["a", "b"], [.. labels], [.. rows]);

        var svg = XElement.Parse(ResultCharts.Reliability(result).ToSvg("calibration"));

        var line = svg.Elements("path").Last(path => path.Attribute("stroke-width")?.Value == "2").Attribute("d")!.Value;
        Assert.Equal(2, line.Count(letter => letter is 'M' or 'L'));
        var discs = svg.Elements("path").Where(path => path.Element("title") is not null).ToDictionary(
            path => path.Element("title")!.Value, path => path.Attribute("fill")!.Value);
        Assert.Equal([true, false, false], discs.OrderBy(disc => disc.Key.StartsWith("3 ", StringComparison.Ordinal) ? 0 : 1).Select(disc => disc.Value == "none"));
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

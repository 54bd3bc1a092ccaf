using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Graft.Classifiers;
using Graft.Runs;
using Graft.Runs.Reports;
using Graft.Testing;

namespace Graft.Tests.Runs;

[Collection(nameof(AloneWithTorch))]
public partial class RunReportTests
{
    [Fact]
    public void Page_says_what_was_done_and_how_to_repeat_it_and_shows_every_part()
    {
        using var scene = new RunScene();
        var folder = scene.Run("run");

        var path = RunReport.Write(SavedRun.Open(folder));

        Assert.Equal(Path.Combine(folder, "report.html"), path);
        var page = File.ReadAllText(path);
        Assert.Contains($"<pre><code>graft train {scene.Photos} --learning-rate 0.02 --epochs 4</code></pre>", page, StringComparison.Ordinal);
        Assert.Contains("18 photos of 3 classes went through the pretrained network tiny", page, StringComparison.Ordinal);
        foreach (var title in (string[])["What was done", "The photos", "Learning curves", "Each class", "Confusion matrix", "Calibration", "ROC",
            "Precision and recall", "Misclassified", "Least certain", "Map of the features"])
        {
            Assert.Contains(title, page, StringComparison.Ordinal);
        }
        Assert.Contains("1 file was left out", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Page_of_a_combination_names_its_networks()
    {
        using var scene = new RunScene();
        var folder = scene.Run("run");
        var result = Path.Combine(folder, "result.json");
        File.WriteAllText(result, File.ReadAllText(result).Replace("\"backbone\": \"tiny\"", "\"backbone\": \"tiny+small\"", StringComparison.Ordinal));

        var page = RunReport.ToHtml(SavedRun.Open(folder));

        Assert.Contains("went through the pretrained networks tiny and small, which stayed as they were.", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_part_of_the_page_is_reached_from_its_head()
    {
        using var scene = new RunScene();

        var page = RunReport.ToHtml(SavedRun.Open(scene.Run("run")));

        var links = Regex.Matches(page, "<a href=\"#([a-z]+)\">([^<]+)</a>").Select(match => (match.Groups[1].Value, match.Groups[2].Value));
        var parts = Regex.Matches(page, "<section id=\"([a-z]+)\"><h2>([^<]+)</h2>").Select(match => (match.Groups[1].Value, match.Groups[2].Value)).ToList();
        Assert.Equal(parts, links);
        Assert.Equal(11, parts.Count);
    }

    [Fact]
    public void Page_asks_for_no_other_file_and_runs_no_script()
    {
        using var scene = new RunScene();
        var page = RunReport.ToHtml(SavedRun.Open(scene.Run("run")));

        Assert.Contains("content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\"", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.All(Link().Matches(page), link => Assert.Matches("^(data:|#)", link.Groups[1].Value));
        Assert.True(Link().Count(page) > 10);
        Assert.DoesNotContain("http://", page, StringComparison.Ordinal);
        Assert.DoesNotContain("https://", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_of_classes_and_files_are_text_and_never_markup()
    {
        using var scene = new RunScene();
        var page = RunReport.ToHtml(SavedRun.Open(scene.Run("run", classes: ["<script>alert(1)</script>", "\"><img src=x>", "c & d"])));

        Assert.DoesNotContain("<script", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<img src=x", page, StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;alert(1)&lt;/script&gt;", page, StringComparison.Ordinal);
        Assert.Contains("notes &lt;b&gt;.txt", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Photos_that_are_gone_leave_a_page_that_says_so()
    {
        using var scene = new RunScene();
        var run = SavedRun.Open(scene.Run("run"));
        var before = RunReport.ToHtml(run);
        var shown = run.Predictions.Of(PredictionTable.Test).OrderBy(image => image.Confidence).First();
        File.Delete(shown.Path);
        var less = RunReport.ToHtml(run);
        foreach (var image in run.Predictions.Images) File.Delete(image.Path);

        var after = RunReport.ToHtml(run);

        Assert.Contains("<img ", before, StringComparison.Ordinal);
        Assert.DoesNotContain("--photos", before, StringComparison.Ordinal);
        Assert.Contains("no longer there", less, StringComparison.Ordinal);
        Assert.Contains("1 of 9 test photos are no longer in <code>", less, StringComparison.Ordinal);
        Assert.DoesNotContain("<img ", after, StringComparison.Ordinal);
        Assert.Contains($"graft report {run.Folder} --photos DIR", after, StringComparison.Ordinal);
        Assert.Contains(Path.GetFileName(shown.Path), after, StringComparison.Ordinal);
    }

    [Fact]
    public void Photos_that_were_moved_are_found_by_their_paths_and_names()
    {
        using var scene = new RunScene();
        var run = SavedRun.Open(scene.Run("run"));
        var before = RunReport.ToHtml(run);
        var moved = scene.File("moved/x")[..^2];
        foreach (var image in run.Predictions.Images)
        {
            var to = Path.Combine(moved, Path.GetRelativePath(run.Result.Data, image.Path));
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Move(image.Path, to);
        }

        var found = run.WithPhotosIn(moved);

        Assert.Equal((run.Predictions.Images.Count, 0), (run.MissingPhotos, found.MissingPhotos));
        Assert.Equal(Regex.Count(before, "<img "), Regex.Count(RunReport.ToHtml(found), "<img "));
        Assert.Equal(run.Validation.Accuracy, found.Validation.Accuracy);
        Assert.Contains("holds none", Assert.Throws<GraftException>(() => run.WithPhotosIn(scene.File("empty/x")[..^2])).Message, StringComparison.Ordinal);
        Assert.Contains("no folder", Assert.Throws<GraftException>(() => run.WithPhotosIn(scene.File("nowhere"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Moved_photo_is_taken_for_another_of_its_name_only_where_its_folders_tell()
    {
        using var folder = new TemporaryFolder();
        foreach (var file in (string[])["cats/1.jpg", "dogs/1.jpg", "dogs/2.jpg", "a/3.jpg", "b/3.jpg"]) File.WriteAllText(folder.File(file), "");
        var moved = new MovedPhotos("/old/data", folder.FullName);

        Assert.Equal(folder.File("dogs/1.jpg"), moved.Find("/old/data/train/dogs/1.jpg"));
        Assert.Equal(folder.File("dogs/2.jpg"), moved.Find("/elsewhere/birds/2.jpg"));
        Assert.Equal(folder.File("a/3.jpg"), moved.Find("/old/data/a/3.jpg"));
        Assert.Null(moved.Find("/old/data/train/c/3.jpg"));
        Assert.Null(moved.Find("/old/data/train/dogs/4.jpg"));
    }

    [Fact]
    public void Own_page_is_replaced_and_nothing_else_is_written_over()
    {
        using var scene = new RunScene();
        var folder = scene.Run("run");
        var run = SavedRun.Open(folder);
        var page = RunReport.Write(run);
        RunReport.Write(run);
        File.WriteAllText(page, "mine");

        Assert.Equal("page-not-written", Assert.Throws<GraftException>(() => RunReport.Write(run)).Code);
        Assert.Equal("mine", File.ReadAllText(page));
        var other = scene.File("other.html");
        RunReport.Write(run, other);
        Assert.Throws<GraftException>(() => RunReport.Write(run, other));
    }

    [Fact]
    public void Page_of_a_model_without_heat_maps_says_why()
    {
        using var scene = new RunScene();
        var run = SavedRun.Open(scene.Run("run", plan: TrainingPlan.OnFeatures(classifier: new NearestNeighbors { Neighbors = 3 })));

        Assert.Contains("There is no heat map of this model: its classifier is votes of nearest neighbors", RunReport.ToHtml(run), StringComparison.Ordinal);
    }

    [Fact]
    public void Page_shows_as_many_photos_as_asked_for()
    {
        using var scene = new RunScene();
        var run = SavedRun.Open(scene.Run("run", test: false));

        var page = RunReport.ToHtml(run, new() { Misclassified = 0, LeastCertain = 5, HeatMaps = 0 });

        Assert.Equal(5, Regex.Count(page, "<img "));
        // A heat map stands beside its photo.
        Assert.Equal(4 + 2 * 3, Regex.Count(RunReport.ToHtml(run, new() { Misclassified = 0, LeastCertain = 4, HeatMaps = 3 }), "<img "));
        Assert.Throws<GraftException>(() => RunReport.ToHtml(run, new() { Misclassified = -1 }));
    }

    [Fact]
    public void Surest_errors_and_least_certain_photos_come_first()
    {
        using var scene = new RunScene();
        var folder = scene.Run("run");
        // Those of an even number are misclassified; of both kinds, later ones more surely.
        RunScene.Predict(folder, "test", (number, label) =>
        {
            var probabilities = Enumerable.Repeat(0.5f * (0.5f - 0.05f * number), 3).ToArray();
            probabilities[number % 2 == 0 ? (label + 1) % 3 : label] = 0.5f + 0.05f * number;
            return probabilities;
        });
        var run = SavedRun.Open(folder);
        var names = run.Predictions.Of("test").Select(image => Path.GetFileName(image.Path)).ToList();

        var page = RunReport.ToHtml(run, new() { Misclassified = 3, LeastCertain = 2, HeatMaps = 4 });

        Assert.Equal([names[8], names[6], names[4]], Pictures("wrong"));
        Assert.Equal([names[0], names[1]], Pictures("unsure"));
        // A photo and its heat map each; of those that are classified correctly the surest of each class.
        string[] explained = Pictures("places");
        Assert.Equal([names[8], $"{names[8]}, heat map", names[6], $"{names[6]}, heat map"], explained[..4]);
        Assert.Equal(
            run.Predictions.Of("test").Where(image => image.IsCorrect).GroupBy(image => image.Label).OrderBy(ofClass => ofClass.Key)
                .Select(ofClass => Path.GetFileName(ofClass.MaxBy(image => image.Confidence)!.Path)).Take(2),
            [explained[4], explained[6]]);

        string[] Pictures(string section)
        {
            var start = page.IndexOf($"<section id=\"{section}\">", StringComparison.Ordinal);
            var content = page[start..page.IndexOf("</section>", start, StringComparison.Ordinal)];
            return [.. Regex.Matches(content, "<img alt=\"([^\"]+)\"").Select(match => match.Groups[1].Value)];
        }
    }

    [Fact]
    public void Page_shows_the_calibration_error_as_it_is_and_without_the_temperature_of_the_run()
    {
        using var scene = new RunScene();
        var folder = scene.Run("run");
        // So few photos do not tell a temperature from 1.
        var result = WithTemperature(folder, 2);
        var without = SavedRun.Open(folder).Test!.Uncalibrated!.Calibration.ExpectedCalibrationError.ToString("0.000", CultureInfo.InvariantCulture);
        string Figure(string split, string name) =>
            result[split]![name]!.GetValue<double>().ToString(name == "temperature" ? "0.00" : "0.000", CultureInfo.InvariantCulture);

        var page = RunReport.ToHtml(SavedRun.Open(folder));

        Assert.Contains($"as it is: expected calibration error {Figure("test", "expected_calibration_error")}<", page, StringComparison.Ordinal);
        Assert.Contains(
            $"without its temperature of {Figure("validation", "temperature")}: expected calibration error {without}<",
            page, StringComparison.Ordinal);
        Assert.NotEqual(Figure("test", "expected_calibration_error"), without);
        Assert.DoesNotContain("which are these", page, StringComparison.Ordinal);
        var validated = scene.Run("validated", test: false);
        WithTemperature(validated, 2);
        Assert.Contains("fitted on the validation photos, which are these", RunReport.ToHtml(SavedRun.Open(validated)), StringComparison.Ordinal);

        // As an older Graft wrote it, whose answers were without it.
        result["version"] = 2;
        File.WriteAllText(Path.Combine(folder, "result.json"), result.ToJsonString());
        page = RunReport.ToHtml(SavedRun.Open(folder));
        Assert.DoesNotContain("without its temperature", page, StringComparison.Ordinal);
        Assert.Contains($"as it is: expected calibration error {Figure("test", "expected_calibration_error")}<", page, StringComparison.Ordinal);

        static JsonNode WithTemperature(string folder, double temperature)
        {
            var file = Path.Combine(folder, "result.json");
            var result = JsonNode.Parse(File.ReadAllText(file))!;
            result["validation"]!["temperature"] = temperature;
            File.WriteAllText(file, result.ToJsonString());
            return result;
        }
    }

    [GeneratedRegex("(?:src|href)=\"([^\"]*)\"")]
    private static partial Regex Link();
}

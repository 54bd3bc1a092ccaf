using System.Text.Json;
using CsvHelper;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary><c>graft predict</c> as people use it, on photos of a trip that nobody sorted.</summary>
public sealed class PredictTests(PredictTests.TrainedModel trained) : IClassFixture<PredictTests.TrainedModel>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private GraftCommand Graft => new(_folder.File("home")) { WorkingFolder = _folder.FullName };

    public void Dispose() => _folder.Dispose();

    /// <summary>A run, trained once for all tests.</summary>
    public sealed class TrainedModel : IDisposable
    {
        private readonly TemporaryFolder _folder = new();
        private readonly DrawnPhotos _photos = new();

        public TrainedModel()
        {
            Run = _folder.File("run/x")[..^2];
            Directory.Delete(Run);
            var result = new GraftCommand(_folder.FullName).Run("train", _photos.Folder, "--backbone", "tiny", "--classifier", "logistic", "--out", Run);
            Assert.True(result.ExitCode == 0, result.ToString());
        }

        public string Run { get; }

        public string Photos => _photos.Folder;

        public void Dispose()
        {
            _photos.Dispose();
            _folder.Dispose();
        }
    }

    [Fact]
    public void Folders_patterns_and_standard_input_name_the_same_photos()
    {
        MakeTrip();
        var folder = Json("trip");
        Assert.Equal(24, folder.Count);
        Assert.Equal(folder, Json("trip/**"));
        Assert.Equal(folder, Json("trip/a/*.jpg", "trip/b/*.jpg"));
        Assert.Equal(folder, Json(Directory.GetFiles(_folder.File("trip/a"), "*.jpg").Concat(Directory.GetFiles(_folder.File("trip/b"), "*.jpg"))
            .Select(file => Path.GetRelativePath(_folder.FullName, file)).Order(StringComparer.Ordinal).ToArray()));
        var piped = Graft.RunWithInput($"{string.Join('\n', folder.Keys)}\n\n", "predict", trained.Run, "-", "--json");
        Assert.Equal(0, piped.ExitCode);
        Assert.Equal(folder, Classes(piped));

        SortedDictionary<string, string> Json(params string[] paths)
        {
            var result = Graft.Run(["predict", trained.Run, .. paths, "--json"]);
            Assert.True(result.ExitCode == 0, result.ToString());
            return Classes(result);
        }
    }

    [Fact]
    public void Answers_come_while_more_photos_are_named()
    {
        MakeTrip();
        var photos = Directory.GetFiles(_folder.File("trip/a")).Order(StringComparer.Ordinal).ToArray();
        using var graft = Graft.StartWithInput("predict", trained.Run, "-");
        graft.StandardInput.WriteLine(photos[0]);
        Assert.StartsWith(photos[0], graft.StandardOutput.ReadLine(), StringComparison.Ordinal);
        graft.StandardInput.WriteLine(photos[1]);
        Assert.StartsWith(photos[1], graft.StandardOutput.ReadLine(), StringComparison.Ordinal);
        graft.StandardInput.Close();
        Assert.True(graft.WaitForExit(TimeSpan.FromMinutes(1)));
        Assert.Equal(0, graft.ExitCode);
    }

    [Fact]
    public void Broken_photos_are_one_line_each_and_the_rest_is_done()
    {
        MakeTrip();
        File.WriteAllText(_folder.File("trip/a/broken.jpg"), "no picture");
        var result = Graft.Run("predict", trained.Run, "trip", "nowhere.jpg", "--json");

        Assert.Equal(1, result.ExitCode);
        Assert.Equal(24, result.Json.GetProperty("predictions").GetArrayLength());
        Assert.Equal(
            ["nowhere.jpg", "trip/a/broken.jpg"],
            result.Json.GetProperty("skipped").EnumerateArray().Select(file => file.GetProperty("path").GetString()!).Order(StringComparer.Ordinal));
        var lines = result.Messages.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Single(lines, line => line.StartsWith("trip/a/broken.jpg: ", StringComparison.Ordinal));
        Assert.Single(lines, line => line == "nowhere.jpg: there is no such file or folder");
        Assert.Equal(2, lines.Length);
    }

    [Fact]
    public void Table_for_programs_holds_any_name_and_says_what_is_unsure()
    {
        MakeTrip();
        var odd = "trip/a, \"b\"\n=1.jpg";
        File.Copy(Directory.GetFiles(_folder.File("trip/a"))[0], _folder.File(odd));
        var result = Graft.Run("predict", trained.Run, "trip", "--csv", "--top", "2", "--threshold", "0.9");
        Assert.True(result.ExitCode == 0, result.ToString());

        Assert.StartsWith("path,class,probability,class_2,probability_2,unsure\r\n", result.Output, StringComparison.Ordinal);
        using var csv = CsvReader.Create(new StringReader(result.Output), new CsvReaderOptions { AllowLineBreaksInQuotes = true });
        var rows = new List<(string Path, double Probability, bool IsUnsure)>();
        while (csv.Read())
        {
            rows.Add((csv.GetString(0), double.Parse(csv.GetString(2), System.Globalization.CultureInfo.InvariantCulture), csv.GetString(5) == "true"));
            Assert.NotEqual(csv.GetString(1), csv.GetString(3));
        }
        Assert.Equal(25, rows.Count);
        // A row is a line, whatever a file is called.
        Assert.Contains(rows, row => row.Path == odd.Replace("\n", @"\u{A}", StringComparison.Ordinal));
        Assert.All(rows, row => Assert.Equal(row.Probability < 0.9, row.IsUnsure));
        Assert.Equal(2, rows.Select(row => row.IsUnsure).Distinct().Count());

        var text = Graft.Run("predict", trained.Run, "trip", "--threshold", "0.9").Output;
        Assert.Equal(rows.Count(row => row.IsUnsure), text.Split("  unsure: ").Length - 1);
        var json = Graft.Run("predict", trained.Run, "trip", "--threshold", "0.9", "--json").Json;
        Assert.Equal(
            rows.Count(row => row.IsUnsure),
            json.GetProperty("predictions").EnumerateArray().Count(prediction => prediction.GetProperty("unsure").GetBoolean()));
    }

    [Fact]
    public void Photos_are_sorted_into_folders_of_classes_and_none_is_lost()
    {
        MakeTrip();
        var before = Directory.GetFiles(_folder.File("trip/x")[..^2], "*", SearchOption.AllDirectories).ToDictionary(file => file, Bytes);
        var told = Graft.Run("predict", trained.Run, "trip", "--threshold", "0.9", "--sort-into", "trip/sorted", "--json");
        Assert.True(told.ExitCode == 0, told.ToString());

        Assert.All(before, file => Assert.Equal(file.Value, Bytes(file.Key)));
        var expected = told.Json.GetProperty("predictions").EnumerateArray().ToList();
        Assert.All(expected, prediction =>
        {
            var copy = prediction.GetProperty("sorted_to").GetString()!;
            var folder = prediction.GetProperty("unsure").GetBoolean() ? "unsure" : prediction.GetProperty("classes")[0].GetProperty("class").GetString();
            Assert.Equal(folder, Path.GetFileName(Path.GetDirectoryName(copy)));
            Assert.Equal(before[_folder.File(prediction.GetProperty("path").GetString()!)], Bytes(_folder.File(copy)));
        });
        var sorted = Files();
        Assert.Equal(24, sorted.Length);
        // Both folders have names of their own in common.
        Assert.Contains(sorted, file => file.EndsWith(" (2).jpg", StringComparison.Ordinal));
        Assert.Equal(24, told.Json.GetProperty("sorted").GetProperty("copied").EnumerateObject().Sum(count => count.Value.GetInt32()));

        // What was sorted before is neither predicted nor copied again.
        var again = Graft.Run("predict", trained.Run, "trip", "--threshold", "0.9", "--sort-into", "trip/sorted");
        Assert.Equal(24, again.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Contains("Copied nothing into trip/sorted. 24 were there already.", again.Messages, StringComparison.Ordinal);
        Assert.Equal(sorted, Files());

        string[] Files() => [.. Directory.GetFiles(_folder.File("trip/sorted/x")[..^2], "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        static string Bytes(string file) => Convert.ToBase64String(File.ReadAllBytes(file));
    }

    [Fact]
    public void Options_that_cannot_be_meant_end_with_2()
    {
        var photo = Directory.GetFiles(Path.Combine(trained.Photos, "test/fish"))[0];
        File.WriteAllText(_folder.File("file"), "");
        foreach (var wrong in (string[][])
            [
                ["--threshold", "80"], ["--json", "--csv"], ["--sort-into", "file"], ["--top", "0"], ["--explain", "file"],
                // A trained model knows how it is fed.
                ["--size", "64"], ["--preprocessing", "tf"],
            ])
        {
            var result = Graft.Run(["predict", trained.Run, photo, .. wrong]);
            Assert.Equal((2, ""), (result.ExitCode, result.Output));
            Assert.Contains(wrong[0], result.Messages, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Heat_maps_of_before_are_not_taken_for_photos()
    {
        MakeTrip();
        Assert.Equal(0, Graft.Run("predict", trained.Run, "trip/a", "--explain", "trip/a/heat").ExitCode);
        Assert.Equal(12, Directory.GetFiles(_folder.File("trip/a/heat/x")[..^2]).Length);

        var again = Graft.Run("predict", trained.Run, "trip/a", "--explain", "trip/a/heat");

        Assert.Equal(12, again.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Fact]
    public void Photos_of_one_class_are_evaluated_without_an_area_under_the_curve()
    {
        File.Copy(Directory.GetFiles(Path.Combine(trained.Photos, "test/fish"))[0], _folder.File("one/fish/1.jpg"));

        var result = Graft.Run("evaluate", trained.Run, "one");

        Assert.Equal(0, result.ExitCode);
        Assert.Contains(" on 1 image\n", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("ROC", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Classes_without_photos_are_said_as_they_lower_the_macro_averages()
    {
        foreach (var kind in (string[])["fish", "cup"])
            File.Copy(Directory.GetFiles(Path.Combine(trained.Photos, "test", kind))[0], _folder.File($"two/{kind}/1.jpg"));

        var result = Graft.Run("evaluate", trained.Run, "two");

        Assert.Equal(0, result.ExitCode);
        Assert.Matches("note: There are no photos of [a-z, ]+: they count as 0 in the macro averages.\n", result.Messages);
        Assert.DoesNotContain("There are no photos", Graft.Run("evaluate", trained.Run, trained.Photos).Messages, StringComparison.Ordinal);
    }

    [Fact]
    public void Photo_in_place_of_a_model_is_told()
    {
        var photo = Directory.GetFiles(Path.Combine(trained.Photos, "test/fish"))[0];

        var result = Graft.Run("predict", photo, trained.Run);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"{photo} is no trained model", result.Messages, StringComparison.Ordinal);
    }

    /// <summary>24 photos of two days; both days have photos of the same names.</summary>
    private void MakeTrip()
    {
        var photos = Directory.GetFiles(Path.Combine(trained.Photos, "test"), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToArray();
        for (var i = 0; i < photos.Length; i++) File.Copy(photos[i], _folder.File($"trip/{(i % 2 == 0 ? "a" : "b")}/IMG_{i / 2:00}.jpg"));
        File.WriteAllText(_folder.File("trip/notes.txt"), "no picture, and nobody said so");
    }

    private static SortedDictionary<string, string> Classes(CommandResult result) => new(
        result.Json.GetProperty("predictions").EnumerateArray().ToDictionary(
            prediction => prediction.GetProperty("path").GetString()!,
            prediction => JsonSerializer.Serialize(prediction.GetProperty("classes"))),
        StringComparer.Ordinal);
}

using System.Text.Json;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary><c>graft data check</c> and <c>graft data split</c> on drawn pictures.</summary>
public sealed class DataTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private GraftCommand Graft => new(_folder.File("home")) { WorkingFolder = _folder.FullName };

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Check_tells_leaks_loudly_and_quarantine_is_undone()
    {
        var pictures = Copy(photos.Folder, "pictures");
        var fish = Directory.GetFiles(Path.Combine(pictures, "train/fish")).Order(StringComparer.Ordinal).ToArray();
        File.Copy(fish[0], Path.Combine(pictures, "test/fish/leaked.jpg"));
        File.Copy(fish[1], Path.Combine(pictures, "train/cup/wrong.jpg"));
        File.WriteAllText(Path.Combine(pictures, "train/cup/broken.jpg"), "no picture");
        var files = Files(pictures);

        var told = Ends(0, Graft.Run("data", "check", "pictures", "--html", "page.html"));
        Assert.Contains("LEAK: 1 photo is in training and in evaluation", told.Output, StringComparison.Ordinal);
        Assert.Contains("1 photo is in several classes", told.Output, StringComparison.Ordinal);
        Assert.Contains("1 file cannot be read", told.Output, StringComparison.Ordinal);
        Assert.Contains("leaked.jpg", File.ReadAllText(_folder.File("page.html")), StringComparison.Ordinal);
        Assert.Equal(files, Files(pictures));

        var json = Ends(0, Graft.Run("data", "check", "pictures", "--json")).Json;
        Assert.Equal(1, json.GetProperty("leaks").GetInt32());
        Assert.Equal(["train/cup/broken.jpg"], json.GetProperty("unreadable").EnumerateArray().Select(file => file.GetProperty("file").GetString()));

        var moved = Ends(0, Graft.Run("data", "check", "pictures", "--quarantine", "aside"));
        Assert.Contains("Moved 4 files into aside", moved.Messages, StringComparison.Ordinal);
        var again = Ends(0, Graft.Run("data", "check", "pictures")).Output;
        Assert.True(again.Contains("No problems found", StringComparison.Ordinal), again);
        Assert.Equal("4 files back in pictures.\n", Ends(0, Graft.Run("data", "check", "pictures", "--quarantine", "aside", "--undo")).Output);
        Assert.Equal(files, Files(pictures));

        Ends(0, Graft.Run("data", "check", "pictures", "--quarantine", "aside", "--move", "unreadable"));
        Assert.Equal(files.Length - 1, Files(pictures).Length);
    }

    [Fact]
    public void Labels_are_checked_with_a_backbone_and_moved_only_when_asked_for()
    {
        var pictures = Copy(photos.Folder, "pictures");
        // One fish in the wrong folder.
        var fish = Directory.GetFiles(Path.Combine(pictures, "train/fish")).Order(StringComparer.Ordinal).First();
        File.Move(fish, Path.Combine(pictures, "train/cup/wrong.jpg"));
        var files = Files(pictures);

        var json = Ends(0, Graft.Run("data", "check", "pictures", "--backbone", "graft_mobilenet_v2_050", "--json", "--html", "page.html")).Json;
        var labels = json.GetProperty("labels");
        Assert.Equal("graft_mobilenet_v2_050.graft", labels.GetProperty("backbone").GetString());
        Assert.InRange(labels.GetProperty("accuracy").GetDouble(), 0.7, 0.99);
        var suspects = labels.GetProperty("suspects").EnumerateArray().ToList();
        Assert.InRange(suspects.Count, 1, 36);
        Assert.Equal(suspects.OrderBy(Given), suspects);
        Assert.All(suspects, suspect =>
        {
            Assert.True(Given(suspect) < suspect.GetProperty("suggested_probability").GetDouble());
            Assert.NotEqual(suspect.GetProperty("given").GetString(), suspect.GetProperty("suggested").GetString());
        });
        var worst = suspects[0].GetProperty("file").GetString()!;
        Assert.Contains($"rather <b>{suspects[0].GetProperty("suggested").GetString()}</b>", File.ReadAllText(_folder.File("page.html")), StringComparison.Ordinal);

        string[] check = ["data", "check", "pictures", "--backbone", "graft_mobilenet_v2_050"];
        var told = Ends(0, Graft.Run([.. check, "--quarantine", "aside"]));
        Assert.Matches($@"{suspects.Count} labels? (is|are) likely wrong, the most likely first\.\n  {worst}: {suspects[0].GetProperty("given").GetString()} \d", told.Output);
        Assert.Contains("Nothing to move", told.Messages, StringComparison.Ordinal);
        Ends(0, Graft.Run([.. check, "--quarantine", "aside", "--move", "wrong-label"]));
        Assert.True(File.Exists(_folder.File(Path.Combine("aside", worst))));
        Assert.Equal(files.Length - suspects.Count, Files(pictures).Length);
        Ends(0, Graft.Run([.. check, "--quarantine", "aside", "--undo"]));

        Assert.Equal(files, Files(pictures));

        static double Given(JsonElement suspect) => suspect.GetProperty("given_probability").GetDouble();
    }

    [Theory]
    [InlineData("features")]
    [InlineData("head")]
    public void Train_says_what_spoils_its_results_and_how_certain_it_may_be(string strategy)
    {
        var pictures = Copy(photos.Folder, "pictures");
        File.Copy(Directory.GetFiles(Path.Combine(pictures, "train/fish"))[0], Path.Combine(pictures, "test/fish/leaked.jpg"));
        string[] arguments = ["train", "pictures", "--backbone", "tiny", "--strategy", strategy, "--epochs", "2", "--out", "run", "--json"];
        var trained = Ends(0, Graft.Run(strategy == "head" ? [.. arguments, "--views", "1"] : arguments));

        Assert.Contains("warning: LEAK: 1 photo of validation or test is in training too", trained.Messages, StringComparison.Ordinal);
        Assert.Contains("Which ones: graft data check pictures", trained.Messages, StringComparison.Ordinal);
        var check = trained.Json.GetProperty("data_check");
        Assert.Equal((1, 0), (check.GetProperty("leaks").GetInt32(), check.GetProperty("contradictions").GetInt32()));
        Assert.Equal(6, check.GetProperty("small_classes").EnumerateObject().Count());

        // Fitted on validation, reported of the test, and kept with the model.
        var test = trained.Json.GetProperty("test");
        var temperature = test.GetProperty("temperature").GetDouble();
        Assert.InRange(temperature, 0.01, 100);
        Assert.Equal(temperature, trained.Json.GetProperty("validation").GetProperty("temperature").GetDouble());
        var evaluated = Ends(0, Graft.Run("evaluate", "run", "pictures", "--json")).Json;
        Assert.Equal(temperature, evaluated.GetProperty("temperature").GetDouble());
        Assert.Equal(
            test.GetProperty("uncalibrated_error").GetDouble(), evaluated.GetProperty("uncalibrated_error").GetDouble(), 1e-6);
    }

    [Fact]
    public void Split_makes_what_train_reads()
    {
        var pictures = Copy(Path.Combine(photos.Folder, "train"), "all");

        var told = Ends(0, Graft.Run("data", "split", "all", "--into", "divided", "--counts", "4/2/2"));
        Assert.EndsWith("Written to divided. Next: graft train divided\n", told.Output, StringComparison.Ordinal);
        Assert.Equal(48, Files(_folder.File("divided")).Length);
        Assert.Equal(4, Directory.GetFiles(_folder.File("divided/train/fish")).Length);
        Assert.Contains("not empty", Ends(1, Graft.Run("data", "split", "all", "--into", "divided")).Messages, StringComparison.Ordinal);

        var json = Ends(0, Graft.Run("data", "split", "all", "--into", "divided.csv", "--ratios", "40/10/10", "--ignore-duplicates", "--json")).Json;
        Assert.Equal(18, json.GetProperty("left_out").GetInt32());
        var trained = Ends(0, Graft.Run("train", "divided.csv", "--backbone", "tiny", "--epochs", "2", "--out", "run", "--json")).Json;
        Assert.Equal(
            json.GetProperty("parts").GetProperty("train").GetInt32(), trained.GetProperty("images").GetProperty("train").GetInt32());
        Assert.Equal(48, Files(pictures).Length);
    }

    [Fact]
    public void Wrong_usage_ends_with_2_and_unsuitable_data_with_1()
    {
        Ends(2, Graft.Run("data", "check", "no-such-folder"));
        Ends(2, Graft.Run("data", "check", photos.Folder, "--undo"));
        Ends(2, Graft.Run("data", "check", photos.Folder, "--move", "blank"));
        Ends(2, Graft.Run("data", "check", photos.Folder, "--quarantine", "x", "--move", "wrong-label"));
        Ends(2, Graft.Run("data", "check", photos.Folder, "--weights", "x.pth"));
        Ends(2, Graft.Run("data", "check", photos.Folder, "--backbone", "resnet5000"));
        Ends(2, Graft.Run("data", "split", photos.Folder));
        Ends(2, Graft.Run("data", "split", photos.Folder, "--into", "x", "--ratios", "70/40"));
        Ends(2, Graft.Run("data", "split", photos.Folder, "--into", "x", "--ratios", "many"));
        Ends(2, Graft.Run("data", "split", photos.Folder, "--into", "x", "--ratios", "80/20", "--counts", "1/1"));
        Ends(1, Graft.Run("data", "split", photos.Folder, "--into", "x", "--counts", "1000/500/500"));
        Ends(1, Graft.Run("data", "check", photos.Folder, "--quarantine", "aside", "--undo"));
        Assert.Contains("check", Ends(0, Graft.Run("data")).Output, StringComparison.Ordinal);
        Assert.False(Path.Exists(_folder.File("x")));
    }

    [Fact]
    public void What_cannot_be_written_is_said_before_photos_are_read()
    {
        File.WriteAllText(_folder.File("file"), "mine");
        foreach (var wrong in (string[][])
            [
                ["check", photos.Folder, "--html", "file"], ["check", photos.Folder, "--html", photos.Folder],
                ["check", photos.Folder, "--quarantine", "file"], ["check", photos.Folder, "--quarantine", Path.Combine(photos.Folder, "aside")],
                ["split", photos.Folder, "--into", "file"], ["split", photos.Folder, "--into", Path.Combine(photos.Folder, "divided")],
                ["split", photos.Folder, "--into", "table", "--as", "csv"],
                ["preview", photos.Folder, "--out", "file"], ["preview", photos.Folder, "--out", photos.Folder],
            ])
        {
            var result = Ends(1, Graft.Run(["data", .. wrong]));
            Assert.Single(result.Messages.Split('\n', StringSplitOptions.RemoveEmptyEntries));
            Assert.Empty(result.Output);
        }
        Assert.Equal("mine", File.ReadAllText(_folder.File("file")));
    }

    [Fact]
    public void Photos_that_cannot_be_read_do_not_keep_a_contact_sheet_from_being_made()
    {
        var pictures = Copy(Path.Combine(photos.Folder, "train"), "pictures");
        foreach (var kind in Directory.GetDirectories(pictures))
        {
            File.WriteAllText(Path.Combine(kind, "0.jpg"), "no picture");
            // Larger than a file that is read whole may be, and takes no room.
            using var large = new FileStream(Path.Combine(kind, "00.jpg"), FileMode.CreateNew);
            large.SetLength(3L << 30);
        }

        var result = Ends(0, Graft.Run("data", "preview", "pictures", "--out", "new/sheet.png", "--photos", "2", "--views", "1", "--size", "32"));

        Assert.Contains("00.jpg: ", result.Messages, StringComparison.Ordinal);
        Assert.Contains("0.jpg: not a picture", result.Messages, StringComparison.Ordinal);
        Assert.EndsWith("new/sheet.png: 2 photos, a row each: as it is, then 1 view.\n", result.Messages, StringComparison.Ordinal);
        Assert.True(File.Exists(_folder.File("new/sheet.png")));
    }

    [Fact]
    public void Names_that_a_terminal_would_obey_are_shown_on_one_line()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no name can hold such letters");
        var pictures = Copy(Path.Combine(photos.Folder, "train"), "pictures");
        File.WriteAllText(Path.Combine(pictures, "fish", "\e[31mred\nfish.jpg"), "no picture");

        var told = Ends(0, Graft.Run("data", "check", "pictures"));

        Assert.Contains("  fish/␛[31mred␊fish.jpg: not a picture", told.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_that_act_are_shown_in_every_output()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no name can hold such letters");
        var pictures = Copy(Path.Combine(photos.Folder, "train"), "pictures");
        Directory.Move(Path.Combine(pictures, "fish"), Path.Combine(pictures, "=\u202Ehsif\e[31m"));

        var told = Ends(0, Graft.Run("data", "check", "pictures", "--html", "page.html"));
        var json = Ends(0, Graft.Run("data", "check", "pictures", "--json"));
        var split = Ends(0, Graft.Run("data", "split", "pictures", "--into", "split.csv", "--json"));

        Assert.Contains("=\\u202Ehsif␛[31m", told.Output, StringComparison.Ordinal);
        Assert.Contains("=\\u202Ehsif␛[31m", File.ReadAllText(_folder.File("page.html")), StringComparison.Ordinal);
        Assert.Contains("\"'=\\u{202E}hsif\\u{1B}[31m\"", File.ReadAllText(_folder.File("split.csv")), StringComparison.Ordinal);
        foreach (var text in new[] { told.Output, told.Messages, json.Output, split.Output, File.ReadAllText(_folder.File("page.html")), File.ReadAllText(_folder.File("split.csv")) })
            Assert.DoesNotContain(text, letter => letter is '\u202E' or '\e');
        Assert.Contains("=\u202Ehsif\e[31m", json.Json.GetProperty("classes").EnumerateArray().Select(entry => entry.GetProperty("name").GetString()));
    }

    [Fact]
    public async Task Checks_that_move_at_once_lose_no_photo_and_of_splits_one_wins()
    {
        var pictures = Copy(Path.Combine(photos.Folder, "train"), "pictures");
        foreach (var file in Files(pictures)) File.Copy(file, file.Replace(".jpg", " copy.jpg", StringComparison.Ordinal));
        var before = Files(pictures);

        var checks = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => Graft.Run("data", "check", "pictures", "--quarantine", "aside"))));
        Assert.All(checks, result => Ends(0, result));
        Assert.Equal(before.Length / 2, Files(pictures).Length);
        Ends(0, Graft.Run("data", "check", "pictures", "--quarantine", "aside", "--undo"));
        Assert.Equal(before, Files(pictures));

        var splits = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() => Graft.Run("data", "split", "pictures", "--into", "divided"))));
        Assert.Equal([0, 1, 1], splits.Select(result => result.ExitCode).Order());
        Assert.Equal(before.Length, Files(_folder.File("divided/x")[..^2]).Length);
        Assert.Equal(["divided"], Directory.GetFileSystemEntries(_folder.FullName).Select(Path.GetFileName).Where(name => name!.StartsWith("divided", StringComparison.Ordinal)));
    }

    [Fact]
    public void Options_for_tables_are_refused_of_folders_and_used_of_tables()
    {
        Copy(Path.Combine(photos.Folder, "train"), "pictures");
        var rows = Directory.GetFiles(_folder.File("pictures/cup/x")[..^2]).Concat(Directory.GetFiles(_folder.File("pictures/fish/x")[..^2]))
            .Select(file => $"{Path.GetFileName(Path.GetDirectoryName(file))}/{Path.GetFileNameWithoutExtension(file)},{Path.GetFileName(Path.GetDirectoryName(file))}");
        File.WriteAllText(_folder.File("tables/t.csv"), $"what,kind\n{string.Join('\n', rows)}\n");

        Ends(2, Graft.Run("data", "check", "pictures", "--label-column", "kind"));
        var told = Ends(0, Graft.Run(
            "data", "check", "tables/t.csv", "--path-column", "what", "--label-column", "kind", "--image-folder", "pictures", "--image-suffix", ".jpg", "--json"));

        Assert.Equal(rows.Count(), told.Json.GetProperty("images").GetInt32());
    }

    private string Copy(string from, string to)
    {
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
            File.Copy(file, _folder.File(Path.Combine(to, Path.GetRelativePath(from, file))));
        return _folder.File(Path.Combine(to, "x"))[..^2];
    }

    private static string[] Files(string folder) => [.. Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    private static CommandResult Ends(int exitCode, CommandResult result)
    {
        Assert.True(exitCode == result.ExitCode, $"expected exit code {exitCode}, found {result}");
        Assert.DoesNotContain("   at ", result.Messages, StringComparison.Ordinal);
        Assert.DoesNotContain("internal error", result.Messages, StringComparison.Ordinal);
        return result;
    }
}

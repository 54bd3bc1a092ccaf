using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary><c>graft label</c> as people use it, on photos that nobody sorted.</summary>
public sealed class LabelTests(PredictTests.TrainedModel trained) : IClassFixture<PredictTests.TrainedModel>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private GraftCommand Graft => new(_folder.File("home")) { WorkingFolder = _folder.FullName };

    public void Dispose() => _folder.Dispose();

    private string Heap(string prefix = "")
    {
        var number = 0;
        foreach (var photo in Directory.EnumerateFiles(Path.Combine(trained.Photos, "test"), "*.jpg", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            File.Copy(photo, Path.Join(_folder.File("heap/x")[..^2], $"{prefix}{number++:00}.jpg"));
        File.WriteAllText(_folder.File("heap/broken.jpg"), "no photo");
        return "heap";
    }

    private CommandResult Ends(int exitCode, params string[] arguments)
    {
        var result = Graft.Run(arguments);
        Assert.True(result.ExitCode == exitCode, result.ToString());
        return result;
    }

    [Fact]
    public void Photos_are_labeled_put_into_folders_and_taken_back()
    {
        var before = Contents(Heap());

        var result = Ends(0, "label", "heap", "--with", trained.Run, "--out", "labels", "--into", "sorted", "--json").Json;

        var labeled = result.GetProperty("labeled").GetInt32();
        Assert.Equal(before.Count, result.GetProperty("photos").GetInt32());
        Assert.InRange(labeled, 1, before.Count - 1);
        Assert.Contains("cannot be read", File.ReadAllText(_folder.File("labels/labels.csv")), StringComparison.Ordinal);
        Assert.Equal(labeled, Directory.EnumerateFiles(_folder.File("sorted/x")[..^2], "*.jpg", SearchOption.AllDirectories).Count());
        Assert.Contains("Labels of heap", File.ReadAllText(_folder.File("labels/labels.html")), StringComparison.Ordinal);
        // The table is one to train on.
        Assert.Contains("to train on", Ends(0, "train", "labels/labels.csv", "--backbone", "tiny", "--classifier", "mean", "--out", "run").Messages, StringComparison.Ordinal);

        // What was put within the heap is not labeled again.
        Ends(0, "label", "heap", "--with", trained.Run, "--out", "second", "--into", "heap/sorted");
        Assert.Equal(before.Count, Ends(0, "label", "heap", "--with", trained.Run, "--out", "third", "--into", "heap/sorted", "--json").Json.GetProperty("photos").GetInt32());
        Ends(0, "label", "--undo", "heap/sorted");
        Directory.Delete(Path.Combine(_folder.FullName, "heap", "sorted"));
        Assert.Contains($"{labeled} photo", Ends(0, "label", "--undo", "sorted").Messages, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.File("sorted/x")[..^2]));
        Assert.Equal(before, Contents("heap"));
    }

    [Fact]
    public void Precision_that_so_few_photos_cannot_show_gives_no_label_and_says_how_many_would()
    {
        var result = Ends(0, "label", Heap(), "--with", trained.Run, "--precision", "0.98");

        Assert.Contains("no label", result.Output, StringComparison.Ordinal);
        Assert.Contains("149 right ones would", result.Output, StringComparison.Ordinal);
        Assert.Contains("0 of ", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Sample_is_checked_and_what_to_label_next_comes_back()
    {
        Heap();
        Ends(0, "label", "heap", "--with", trained.Run, "--out", "labels");

        Ends(0, "label", "audit", "labels", "--count", "6", "--out", "audit");
        var rows = File.ReadAllLines(_folder.File("audit/audit.csv"));
        File.WriteAllLines(_folder.File("answers.csv"), rows.Select((row, number) => number == 0 ? row : row[..^2] + (number == 1 ? "\"no\"" : "\"yes\"")));
        var audit = Ends(0, "label", "audit", "labels", "--answers", "answers.csv", "--json").Json;
        Assert.Equal(rows.Length - 1, audit.GetProperty("checked").GetInt32());
        Assert.InRange(audit.GetProperty("precision").GetDouble(), 0.5, 0.99);

        Ends(0, "label", "next", trained.Run, "heap", "--count", "10", "--out", "next");
        var next = File.ReadAllLines(_folder.File("next/next.csv"));
        Assert.Equal(11, next.Length);
        File.WriteAllLines(_folder.File("answered.csv"), next.Select((row, number) => number == 0 ? row : row[..^2] + "\"circle\""));
        var applied = Ends(0, "label", "apply", "answered.csv", "--into", "more");
        Assert.Contains("circle 10", applied.Messages, StringComparison.Ordinal);
        Assert.Contains("drawn at random", applied.Messages, StringComparison.Ordinal);
        Assert.Equal(10, Directory.GetFiles(_folder.File("more/circle/x")[..^2]).Length);
    }

    [Theory]
    [InlineData(2, "Say what to label them with", "label", "heap")]
    [InlineData(2, "Name the photos", "label", "--with", "RUN")]
    [InlineData(1, "there is no such file or folder", "label", "nowhere", "--with", "RUN")]
    [InlineData(1, "Neither a class", "label", "heap", "--with", "RUN", "--classes", "rond")]
    [InlineData(2, "--link needs --into", "label", "heap", "--with", "RUN", "--link")]
    [InlineData(1, "no labels were applied", "label", "--undo", "heap")]
    [InlineData(1, "must be asked for", "label", "heap", "--with", "RUN", "--labeled", "heap")]
    public void What_cannot_be_done_is_said(int exitCode, string expected, params string[] arguments)
    {
        Heap();
        var result = Ends(exitCode, [.. arguments.Select(argument => argument == "RUN" ? trained.Run : argument)]);
        Assert.Contains(expected, result.Messages, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_folder.FullName, "runs")) && Directory.EnumerateFileSystemEntries(Path.Combine(_folder.FullName, "runs")).Any());
    }

    /// <summary>The page as a person uses it: keys, and the table that is saved.</summary>
    [Fact]
    public async Task Page_of_a_sample_is_answered_by_keys()
    {
        if (Browser.Program is null) Assert.Skip("There is no Chromium.");
        var cancellation = TestContext.Current.CancellationToken;
        // Hidden characters in names come back from the page as they are in the table.
        Heap("\u202E\n");
        Ends(0, "label", "heap", "--with", trained.Run, "--out", "labels");
        Ends(0, "label", "audit", "labels", "--count", "6", "--out", "audit");
        await using var browser = await Browser.Start(1000, 800, cancellation);
        await browser.Open(_folder.File("audit/audit.html"), cancellation);

        var saved = await browser.Evaluate("""
            (async () => {
              let blob; URL.createObjectURL = value => { blob = value; return '#'; };
              const press = key => document.dispatchEvent(new KeyboardEvent('keydown', { key }));
              ['y', 'y', 'Backspace', 'n'].forEach(press);
              for (let rest = document.querySelectorAll('figure').length - 2; rest > 0; rest--) press('y');
              const said = document.getElementById('say').textContent;
              document.getElementById('save').click();
              return said + '\n' + await blob.text();
            })()
            """, cancellation);

        var lines = saved!.GetValue<string>().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains(" answered. Save the answers.", lines[0], StringComparison.Ordinal);
        Assert.Equal("path,label,correct", lines[1]);
        Assert.Equal(1, lines[2..].Count(line => line.EndsWith(",\"no\"", StringComparison.Ordinal)));
        Assert.Equal(lines.Length - 3, lines[2..].Count(line => line.EndsWith(",\"yes\"", StringComparison.Ordinal)));
        Assert.Equal(File.ReadAllLines(_folder.File("audit/audit.csv"))[1..].Select(row => row[..^3]), lines[2..].Select(line => line[..line.LastIndexOf(',')]));
        File.WriteAllLines(_folder.File("saved.csv"), lines[1..]);
        Assert.Equal(lines.Length - 2, Ends(0, "label", "audit", "labels", "--answers", "saved.csv", "--json").Json.GetProperty("checked").GetInt32());
    }

    /// <summary>What labeling writes is found again, by training and by apply, whatever the photos are called.</summary>
    [Fact]
    public void Tables_of_photos_with_odd_names_are_read_back()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such names");
        Heap();
        var folder = Path.Combine(_folder.FullName, "heap");
        File.Delete(Path.Combine(folder, "broken.jpg"));
        var photos = Directory.GetFiles(folder).Order(StringComparer.Ordinal).ToArray();
        string[] names = ["a\nb.jpg", "c\rd.jpg", "e\u202Ef.jpg", " g.jpg", "h.jpg ", @"i\u{41}.jpg", "=j.jpg", "k\"l.jpg", "m,n.jpg", "\to.jpg"];
        foreach (var (photo, name) in photos.Zip(names)) File.Move(photo, Path.Join(folder, name));

        Ends(0, "label", "heap", "--with", trained.Run, "--out", "labels");
        var applied = Ends(0, "label", "apply", "labels", "--into", "sorted", "--json").Json;
        var learned = Ends(0, "train", "labels/labels.csv", "--backbone", "tiny", "--classifier", "mean", "--out", "run", "--json").Json;

        Assert.Equal(photos.Length, applied.GetProperty("placed").EnumerateObject().Sum(one => one.Value.GetInt32()));
        var images = learned.GetProperty("images");
        Assert.Equal(photos.Length, images.GetProperty("train").GetInt32() + images.GetProperty("validation").GetInt32());
        Assert.Equal(0, images.GetProperty("skipped").GetInt32());
    }

    [Fact]
    public void Full_disk_leaves_no_table_without_its_page()
    {
        using var disk = SmallDisk.Mount(_folder.File("small"), kilobytes: 24);
        Heap();

        var result = Ends(1, "label", "heap", "--with", trained.Run, "--out", "small/labels");

        Assert.Contains("The labels cannot be written in ", result.Messages, StringComparison.Ordinal);
        Assert.Contains("and nothing was left there", result.Messages, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(disk.Path));
    }

    [Fact]
    public void Applying_what_is_no_table_and_photos_that_are_none_is_said()
    {
        Heap();
        Assert.Contains("is a folder without labels.csv", Ends(1, "label", "apply", "heap", "--into", "sorted").Messages, StringComparison.Ordinal);
        Assert.Contains("There is no table of labels nowhere.csv", Ends(1, "label", "apply", "nowhere.csv", "--into", "sorted").Messages, StringComparison.Ordinal);
        Directory.CreateDirectory(_folder.File("sorted/Circle"));
        File.WriteAllText(_folder.File("table.csv"), "path,label\nheap/00.jpg,circle\nheap/01.jpg,CIRCLE\nheap/02.jpg,Square\nheap/03.jpg,square\nheap,circle\nheap/gone.jpg,circle\n");

        var messages = Ends(1, "label", "apply", "table.csv", "--into", "sorted").Messages;

        Assert.Contains("heap: it is a folder, not a photo", messages, StringComparison.Ordinal);
        Assert.Contains("gone.jpg: there is no such file", messages, StringComparison.Ordinal);
        Assert.Contains("The label circle differs from the class Circle in upper and lower case only", messages, StringComparison.Ordinal);
        Assert.Contains("The label square differs from the class Square in upper and lower case only", messages, StringComparison.Ordinal);
        Assert.Equal(["Circle", "Square"], Directory.GetDirectories(_folder.File("sorted/x")[..^2]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(2, Directory.GetFiles(_folder.File("sorted/Square/x")[..^2]).Length);
    }

    [Fact]
    public void Source_is_not_compared_with_itself()
    {
        Heap();
        Assert.Contains("are the same photos", Ends(2, "data", "compare", "heap", "./heap/", "--backbone", "tiny").Messages, StringComparison.Ordinal);
        Directory.CreateDirectory(_folder.File("more"));
        for (var photo = 0; photo < 8; photo++) File.Copy(_folder.File($"heap/0{photo}.jpg"), _folder.File($"more/{photo}.jpg"));
        File.CreateSymbolicLink(_folder.File("more/within"), _folder.File("heap"));
        Assert.Contains("are in both", Ends(0, "data", "compare", "heap", "more", "--backbone", "tiny").Messages, StringComparison.Ordinal);
    }

    /// <summary>Photos of another kind have no label, and a run that learns from unlabeled photos says what it learned.</summary>
    [Fact]
    public void Training_says_what_unlabeled_photos_brought()
    {
        Heap();
        // The heap's photos are those of test/: they are not among these.
        var photos = Path.Combine(trained.Photos, "train");
        var result = Ends(0, "train", photos, "--backbone", "tiny", "--classifier", "logistic", "--unlabeled", "heap", "--out", "run", "--json");

        var unlabeled = result.Json.GetProperty("unlabeled");
        Assert.Equal(Directory.GetFiles(_folder.File("heap/x")[..^2]).Length - 1, unlabeled.GetProperty("photos").GetInt32());
        Assert.Contains("by self-training", File.ReadAllText(_folder.File("run/report.txt")), StringComparison.Ordinal);
        Assert.Equal(unlabeled.GetProperty("photos").GetInt32() + 1, File.ReadAllLines(_folder.File("run/pseudo_labels.csv")).Length);
        // Copies of labeled photos under other names are no unlabeled ones.
        foreach (var (number, photo) in Directory.EnumerateFiles(photos, "*.jpg", SearchOption.AllDirectories).Take(3).Index())
            File.Copy(photo, _folder.File($"heap/copy{number}.jpg"));
        Assert.Contains(
            "3 of the photos without labels are copies", Ends(0, "train", photos, "--backbone", "tiny", "--classifier", "mean", "--unlabeled", "heap", "--out", "copies").Messages,
            StringComparison.Ordinal);
        Assert.Contains(
            "nothing to learn from", Ends(1, "train", photos, "--backbone", "tiny", "--classifier", "mean", "--unlabeled", photos, "--out", "same").Messages,
            StringComparison.Ordinal);
        Assert.Contains("--unlabeled needs", Ends(2, "train", photos, "--backbone", "tiny", "--unlabeled", "heap").Messages, StringComparison.Ordinal);
    }

    /// <summary>Label spreading on photos and views of them: in the run's files, and again from its request.</summary>
    [Fact]
    public void Training_spreads_labels_and_learns_from_views()
    {
        Heap();
        var photos = Path.Combine(trained.Photos, "train");
        var result = Ends(
            0, "train", photos, "--backbone", "tiny", "--classifier", "logistic", "--unlabeled", "heap", "--unlabeled-method", "label-spreading", "--views", "2", "--out", "run", "--json").Json;

        var unlabeled = result.GetProperty("unlabeled");
        Assert.Equal("label-spreading", unlabeled.GetProperty("method").GetString());
        Assert.Equal(6, unlabeled.GetProperty("accuracies").GetArrayLength());
        Assert.NotEqual(System.Text.Json.JsonValueKind.Null, result.GetProperty("validation_without_views").ValueKind);
        Assert.Contains("by label spreading", File.ReadAllText(_folder.File("run/report.txt")), StringComparison.Ordinal);
        Assert.Contains("--unlabeled-method label-spreading", File.ReadAllText(_folder.File("run/report.html")), StringComparison.Ordinal);
        Assert.Contains("\"unlabeled_method\": \"label-spreading\"", File.ReadAllText(_folder.File("run/run.json")), StringComparison.Ordinal);

        // Interrupted before it ended, and resumed: the same labels.
        var labels = File.ReadAllText(_folder.File("run/pseudo_labels.csv"));
        File.Delete(_folder.File("run/result.json"));
        File.Delete(_folder.File("run/pseudo_labels.csv"));
        Ends(0, "train", "--resume", "run");
        Assert.Equal(labels, File.ReadAllText(_folder.File("run/pseudo_labels.csv")));
        Assert.Contains("Name them with --unlabeled", Ends(2, "train", photos, "--backbone", "tiny", "--classifier", "mean", "--unlabeled-method", "label-spreading").Messages, StringComparison.Ordinal);
    }

    /// <summary>Photos of the classes' own kind in <c>_other</c>: the run says that they are not told.</summary>
    [Fact]
    public void Photos_of_none_of_the_classes_that_are_like_them_are_said()
    {
        var photos = _folder.File("photos/x")[..^2];
        foreach (var photo in Directory.EnumerateFiles(Path.Combine(trained.Photos, "train"), "*.jpg", SearchOption.AllDirectories))
            File.Copy(photo, _folder.File($"photos/{Path.GetFileName(Path.GetDirectoryName(photo))}/{Path.GetFileName(photo)}"));
        foreach (var (number, photo) in Directory.EnumerateFiles(Path.Combine(trained.Photos, "test"), "*.jpg", SearchOption.AllDirectories).Take(8).Index())
            File.Copy(photo, _folder.File($"photos/_other/{number}.jpg"));

        var result = Ends(0, "train", photos, "--backbone", "tiny", "--classifier", "mean", "--refuse", "0.2", "--out", "run", "--json");

        Assert.Contains("are hardly told from the others", result.Messages, StringComparison.Ordinal);
        Assert.Contains("make them a class of their own", File.ReadAllText(_folder.File("run/report.txt")), StringComparison.Ordinal);
        Assert.Contains("make them a class of their own", File.ReadAllText(_folder.File("run/report.html")), StringComparison.Ordinal);
        Assert.Equal(8, result.Json.GetProperty("novelty").GetProperty("others").GetInt32());
    }

    private SortedDictionary<string, DateTime> Contents(string folder) =>
        new(Directory.EnumerateFiles(Path.Combine(_folder.FullName, folder)).ToDictionary(file => file, File.GetLastWriteTimeUtc), StringComparer.Ordinal);
}

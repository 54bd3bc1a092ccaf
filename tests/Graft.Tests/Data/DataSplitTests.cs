using Graft.Data;
using SkiaSharp;

namespace Graft.Tests.Data;

public sealed class DataSplitTests : IDisposable
{
    private static readonly DataSplitOptions Unread = new() { KeepDuplicatesTogether = false };

    private readonly PhotoFolder _names = new();
    private readonly Pictures _pictures = new();

    public void Dispose()
    {
        _names.Dispose();
        _pictures.Dispose();
    }

    private DataSplit Split(DataSplitOptions options) =>
        DataSplit.Of(_names.Load(new() { ValidationShare = 0 }), options, cancellation: TestContext.Current.CancellationToken);

    private static int[] Sizes(DataSplit split, int @class) => [.. split.Parts.Select(part => split.CountsOf(part)[@class])];

    [Theory]
    [InlineData(new[] { 60.0, 20, 20 }, new[] { 60, 20, 20 }, new[] { 20, 7, 6 }, 0)]
    [InlineData(new[] { 40.0, 10, 10 }, new[] { 40, 10, 10 }, new[] { 13, 4, 3 }, 53)]
    [InlineData(new[] { 80.0, 20 }, new[] { 80, 20 }, new[] { 26, 7 }, 0)]
    [InlineData(new[] { 33.3, 33.3, 33.4 }, new[] { 33, 33, 34 }, new[] { 11, 11, 11 }, 0)]
    public void Every_class_is_divided_in_the_same_ratios(double[] ratios, int[] cats, int[] dogs, int leftOut)
    {
        _names.PutMany("cat", 100);
        _names.PutMany("dog", 33);

        var split = Split(Unread with { Ratios = ratios });

        Assert.Equal(cats, Sizes(split, 0));
        Assert.Equal(dogs, Sizes(split, 1));
        Assert.Equal(leftOut, split.LeftOut);
        Assert.Equal(133 - leftOut, split.Images.Select(image => image.Path).Distinct().Count());
    }

    [Fact]
    public void Counts_are_met_exactly_as_in_the_classic_script()
    {
        for (var number = 0; number < 60; number++)
            foreach (var name in new[] { "cat", "dog" }) _names.Put($"{name}.{number}.jpg");

        var split = Split(Unread with { Counts = [20, 10, 10] });

        Assert.Equal(["cat", "dog"], split.Classes);
        Assert.Equal([20, 10, 10], Sizes(split, 0));
        Assert.Equal([20, 10, 10], Sizes(split, 1));
        Assert.Equal(40, split.LeftOut);
        var problem = Assert.Throws<DataException>(() => Split(Unread with { Counts = [50, 20] }));
        Assert.Contains("'cat' has 60", problem.Message, StringComparison.Ordinal);
        Assert.Equal(2, problem.Problems.Count);
    }

    /// <summary>Computed apart, from the definitions of FNV-1a and SplitMix64: neither machine nor version may change it.</summary>
    [Fact]
    public void Seed_gives_this_very_split_anywhere()
    {
        _names.PutMany("cat", 10);
        _names.PutMany("dog", 10);

        var files = Split(Unread with { Seed = 7 }).Images.Where(image => image.Part != "train").Select(image => $"{image.Part} {image.File}");

        Assert.Equal(
            [
                "test cat/0001.jpg", "val cat/0003.jpg", "test cat/0008.jpg", "val cat/0009.jpg",
                "test dog/0002.jpg", "test dog/0007.jpg", "val dog/0008.jpg", "val dog/0009.jpg",
            ],
            files);
    }

    [Fact]
    public void Another_seed_splits_otherwise_and_another_photo_changes_little()
    {
        _names.PutMany("cat", 200);
        _names.PutMany("dog", 200);
        var before = Split(Unread).Images.ToDictionary(image => image.File, image => image.Part);

        Assert.Equal(before, Split(Unread).Images.ToDictionary(image => image.File, image => image.Part));
        Assert.InRange(Moved(Split(Unread with { Seed = 2 })), 100, 400);
        _names.Put("cat/0005a.jpg");
        Assert.InRange(Moved(Split(Unread)), 0, 3);

        int Moved(DataSplit other) => other.Images.Count(image => before.TryGetValue(image.File, out var part) && part != image.Part);
    }

    [Fact]
    public void Photos_of_one_patient_stay_together()
    {
        for (var patient = 0; patient < 40; patient++)
            for (var shot = 0; shot < 1 + patient % 5; shot++) _names.Put($"{(patient % 2 == 0 ? "sick" : "well")}/p{patient:00}-{shot}.jpg");
        _names.Put("sick/unknown.jpg");

        var split = Split(Unread with { GroupPattern = @"p(\d+)-" });

        Assert.All(split.Images.GroupBy(image => image.File.Split('/', '-')[1]), patient => Assert.Single(patient.Select(image => image.Part).Distinct()));
        Assert.Equal(121, split.Images.Count);
        Assert.All(split.Parts.Zip([0.6, 0.2, 0.2]), part => Assert.InRange(split.CountsOf(part.First).Sum() / 121.0, part.Second - 0.04, part.Second + 0.04));
        Assert.Contains("120 of 121", Assert.Single(split.Notes), StringComparison.Ordinal);
        Assert.Throws<DataException>(() => Split(Unread with { GroupPattern = "never-there" }));
    }

    [Fact]
    public void Group_may_span_classes_and_too_large_a_one_still_stays_together()
    {
        for (var number = 0; number < 10; number++) _names.Put($"cat/home{number % 2}-{number}.jpg");
        for (var number = 0; number < 10; number++) _names.Put($"dog/home{number % 2}-{number}.jpg");

        var split = Split(Unread with { GroupPattern = @"home\d", Ratios = [60, 40] });

        Assert.Equal(2, split.Images.Select(image => (image.File.Split('/')[1][..5], image.Part)).Distinct().Count());
        Assert.Equal(20, split.Images.Count);
        // Two groups fill no three parts.
        Assert.Contains("test would get none of the 20 images", Assert.Throws<DataException>(() => Split(Unread with { GroupPattern = @"home\d" })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Part_without_images_of_a_class_is_said()
    {
        _names.PutMany("cat", 10);
        _names.PutMany("dog", 2);

        Assert.Equal("test has no images of 'dog'.", Assert.Single(Split(Unread with { Ratios = [60, 30, 10] }).Notes));
    }

    [Fact]
    public void Pictures_of_one_photo_are_kept_on_one_side_and_broken_ones_left_out()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var name = seed % 2 == 0 ? "cat" : "dog";
            _pictures.Put($"{name}/{seed}.jpg", seed);
            if (seed < 8) _pictures.Put($"{name}/copy-of-{seed}.png", seed, scale: 0.6, format: SKEncodedImageFormat.Png);
        }
        _pictures.Put("dog/broken.jpg", "no picture"u8.ToArray());
        var photos = LabeledImages.Load(_pictures.FullName, new() { ValidationShare = 0 });

        var split = DataSplit.Of(photos, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal((28, 16), (split.Images.Count, split.KeptTogether));
        Assert.All(
            split.Images.GroupBy(image => Path.GetFileNameWithoutExtension(image.File).Split('-')[^1]),
            photo => Assert.Single(photo.Select(image => image.Part).Distinct()));
        Assert.Equal([8, 3, 3], Sizes(split, 0));
        Assert.Equal(["broken.jpg"], split.Skipped.Select(file => Path.GetFileName(file.Path)));
        Assert.True(split.Images.Where(image => image.File.Contains("copy", StringComparison.Ordinal)).Select(image => image.Part).Distinct().Count() > 1);
    }

    [Theory]
    [InlineData(SplitMode.Copy)]
    [InlineData(SplitMode.Link)]
    [InlineData(SplitMode.Csv)]
    public void What_is_written_reads_back_as_the_split(SplitMode mode)
    {
        for (var number = 0; number < 20; number++) _names.Put($"a \"cat\", small/{number}.jpg", $"content {number}");
        for (var number = 0; number < 20; number++) _names.Put($"dog/{number}.jpg", $"dog {number}");
        _names.Put("dog/below/3.jpg", "another third");
        var split = Split(Unread);
        var target = _pictures.Outside(mode == SplitMode.Csv ? "split.csv" : "split");

        SplitWriter.Write(split, target, mode, cancellation: TestContext.Current.CancellationToken);

        var read = LabeledImages.Load(target);
        Assert.Equal(
            split.Parts.Select(part => split.Images.Where(image => image.Part == part).Select(image => $"{image.Class}: {File.ReadAllText(image.Path)}").Order(StringComparer.Ordinal)),
            new[] { read.Train, read.Validation, read.Test }.Select(part =>
                part.Select(image => $"{read.Classes[image.Class]}: {File.ReadAllText(image.Path)}").Order(StringComparer.Ordinal)));
        Assert.Empty(read.Skipped);
        Assert.False(read.ValidationWasSplit);
        Assert.Empty(Directory.GetFileSystemEntries(Path.GetDirectoryName(target)!, "*.partial"));
        if (mode == SplitMode.Csv) return;
        // A linked file is the very one, a copied one is not.
        File.AppendAllText(read.Train[0].Path, "!");
        Assert.Equal(mode == SplitMode.Link, split.Images.Any(image => File.ReadAllText(image.Path).EndsWith('!')));
    }

    [Fact]
    public void Nothing_is_written_over_and_nothing_half_written_stays()
    {
        _names.PutMany("cat", 10);
        _names.PutMany("dog", 10);
        var split = Split(Unread);
        var folder = Path.GetDirectoryName(_pictures.Outside("split/precious.txt"))!;
        File.WriteAllText(Path.Combine(folder, "precious.txt"), "mine");
        File.WriteAllText(_pictures.Outside("split.csv"), "mine");

        var refusal = Assert.Throws<DataException>(() => SplitWriter.Write(split, folder, SplitMode.Copy, cancellation: TestContext.Current.CancellationToken));
        Assert.Contains("is not empty", refusal.Message, StringComparison.Ordinal);
        Assert.Throws<DataException>(() => SplitWriter.Write(split, _pictures.Outside("split.csv"), SplitMode.Csv, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(["precious.txt"], Directory.GetFileSystemEntries(folder).Select(Path.GetFileName));
        Assert.Equal("mine", File.ReadAllText(_pictures.Outside("split.csv")));

        File.Delete(split.Images[^1].Path);
        Assert.Throws<DataException>(() => SplitWriter.Write(split, _pictures.Outside("other"), SplitMode.Copy, cancellation: TestContext.Current.CancellationToken));
        Assert.DoesNotContain(Directory.GetFileSystemEntries(Path.GetDirectoryName(folder)!), path => path.Contains("other", StringComparison.Ordinal));
    }

    [Fact]
    public void Place_that_a_split_cannot_have_is_refused()
    {
        _names.PutMany("cat", 10);
        _names.PutMany("dog", 10);
        var split = Split(Unread);

        Assert.Contains("lies inside", Refused(Path.Combine(split.Source, "divided"), SplitMode.Copy), StringComparison.Ordinal);
        Assert.Contains("Name it", Refused(_pictures.Outside("table"), SplitMode.Csv), StringComparison.Ordinal);
        Directory.CreateDirectory(_pictures.Outside("folder.csv"));
        Assert.Contains("is a folder", Refused(_pictures.Outside("folder.csv"), SplitMode.Csv), StringComparison.Ordinal);
        File.WriteAllText(_pictures.Outside("file"), "");
        Assert.Contains("cannot be written", Refused(Path.Combine(_pictures.Outside("file"), "split.csv"), SplitMode.Csv), StringComparison.Ordinal);
        Assert.Equal(["cat", "dog"], Directory.GetFileSystemEntries(split.Source).Select(Path.GetFileName).Order(StringComparer.Ordinal));

        SplitWriter.Write(split, _pictures.Outside("new/folder/split.csv"), SplitMode.Csv, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(20, LabeledImages.Load(_pictures.Outside("new/folder/split.csv")).All.Count());

        string Refused(string target, SplitMode mode) => Assert.Throws<DataException>(
            () => SplitWriter.Write(split, target, mode, cancellation: TestContext.Current.CancellationToken)).Message;
    }

    [Fact]
    public void Table_refuses_a_name_that_would_break_its_lines()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no name can hold a line break");
        _names.PutMany("cat", 10);
        _names.PutMany("dog", 10);
        _names.Put("dog/a\nb.jpg");
        var split = Split(Unread);

        var refusal = Assert.Throws<DataException>(
            () => SplitWriter.Write(split, _pictures.Outside("split.csv"), SplitMode.Csv, cancellation: TestContext.Current.CancellationToken));

        Assert.Contains("line break", refusal.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_pictures.Outside("split.csv")));
        SplitWriter.Write(split, _pictures.Outside("split"), SplitMode.Copy, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(21, LabeledImages.Load(_pictures.Outside("split")).All.Count());
    }

    [Theory]
    [InlineData("../../evil", "has a path separator in it")]
    [InlineData("..", "leads out of the folder")]
    [InlineData("dog/small", "has a path separator in it")]
    public void Labels_of_a_table_never_lead_out_of_the_target(string label, string problem)
    {
        _names.PutMany("cat", 10);
        var table = _names.Put("photos.csv", "path,label\n" + string.Concat(Enumerable.Range(0, 10).Select(number =>
            $"cat/{number:D4}.jpg,{(number % 2 == 0 ? "good" : label)}\n")));
        var split = DataSplit.Of(LabeledImages.Load(table, new() { ValidationShare = 0 }), Unread, cancellation: TestContext.Current.CancellationToken);

        var refusal = Assert.Throws<DataException>(
            () => SplitWriter.Write(split, _pictures.Outside("split"), SplitMode.Copy, cancellation: TestContext.Current.CancellationToken));

        Assert.Contains($"The class '{label}' cannot be a folder: its name {problem}. Rename", refusal.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(Path.GetDirectoryName(_pictures.Outside("split"))!));
        SplitWriter.Write(split, _pictures.Outside("split.csv"), SplitMode.Csv, cancellation: TestContext.Current.CancellationToken);
        Assert.Contains(label, LabeledImages.Load(_pictures.Outside("split.csv")).Classes);
    }

    [Fact]
    public void Labels_that_a_spreadsheet_would_run_read_back_as_they_were()
    {
        _names.PutMany("=cmd|' /C calc'!A0", 10);
        _names.PutMany("\u202Edog", 10);
        _names.PutMany("'=x", 10);
        var split = Split(Unread);

        SplitWriter.Write(split, _pictures.Outside("split.csv"), SplitMode.Csv, cancellation: TestContext.Current.CancellationToken);

        Assert.DoesNotContain(",\"=", File.ReadAllText(_pictures.Outside("split.csv")), StringComparison.Ordinal);
        Assert.DoesNotContain('\u202E', File.ReadAllText(_pictures.Outside("split.csv")));
        var photos = LabeledImages.Load(_pictures.Outside("split.csv"));
        Assert.Equal(split.Classes, photos.Classes);
        Assert.Equal(
            split.Images.Select(image => Path.GetFullPath(image.Path)).Order(StringComparer.Ordinal),
            photos.All.Select(image => Path.GetFullPath(image.Path)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Of_several_writers_of_one_target_one_succeeds_and_leftovers_of_a_killed_one_go()
    {
        _names.PutMany("cat", 20);
        _names.PutMany("dog", 20);
        var target = _pictures.Outside("split");
        var leftover = Directory.CreateDirectory($"{target}.{Guid.NewGuid():N}.partial").FullName;
        File.WriteAllText(Path.Combine(leftover, "half.jpg"), "half");
        var cancellation = TestContext.Current.CancellationToken;
        var splits = Enumerable.Range(0, 8).Select(seed => Split(Unread with { Seed = seed })).ToList();

        var succeeded = splits.AsParallel().WithDegreeOfParallelism(8).Count(split =>
        {
            try
            {
                SplitWriter.Write(split, target, SplitMode.Copy, cancellation: cancellation);
                return true;
            }
            catch (DataException)
            {
                return false;
            }
        });

        Assert.Equal(1, succeeded);
        Assert.Equal([target], Directory.GetFileSystemEntries(Path.GetDirectoryName(target)!));
        Assert.Equal(40, Directory.GetFiles(target, "*", SearchOption.AllDirectories).Length);
    }

    [Fact]
    public void Divided_data_set_is_divided_anew_with_a_note()
    {
        foreach (var part in new[] { "train", "test" })
        {
            _names.PutMany($"{part}/cat", 10);
            _names.PutMany($"{part}/dog", 10);
        }

        var split = Split(Unread);

        Assert.Equal(40, split.Images.Count);
        Assert.Contains("is already divided", Assert.Single(split.Notes), StringComparison.Ordinal);
        Assert.Equal(40, SplitWriter.Named(split).Select(named => named.File).Distinct().Count());
    }

    [Fact]
    public void Wrong_options_are_told_together()
    {
        Assert.Equal(2, new DataSplitOptions { Ratios = [60, 50], GroupPattern = "(" }.Problems().Count);
        Assert.Single(new DataSplitOptions { Counts = [1] }.Problems());
        Assert.Single(new DataSplitOptions { Ratios = [60, 0, 40] }.Problems());
        Assert.Empty(new DataSplitOptions().Problems());
    }
}

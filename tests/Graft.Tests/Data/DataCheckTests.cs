using Graft.Data;
using Graft.Imaging;
using Graft.Tests.Imaging;
using SkiaSharp;

namespace Graft.Tests.Data;

public sealed class DataCheckTests : IDisposable
{
    private readonly Pictures _pictures = new();

    public void Dispose() => _pictures.Dispose();

    private DataCheckReport Check() => DataCheck.Run(
        LabeledImages.Load(_pictures.FullName, new() { ValidationShare = 0 }), cancellation: TestContext.Current.CancellationToken);

    private static string[] Files(DuplicateGroup group) => [.. group.Images.Select(image => image.File)];

    [Fact]
    public void Pictures_of_different_photos_are_not_alike_and_those_of_one_are()
    {
        var drawn = Enumerable.Range(0, 60).Select(Pictures.Draw).ToList();
        var looks = drawn.Select(PerceptualHash.Of).ToList();
        var alike = Duplicates.LookAlike([.. looks.Select((look, index) => (index, look))], new());
        Assert.Empty(alike);

        Assert.All(drawn.Zip(looks), pair =>
        {
            var (image, look) = pair;
            var poor = ImageDecoder.Decode(TestImages.Encode(image, SKEncodedImageFormat.Jpeg, quality: 20));
            var small = Resampler.Resize(image, 60, 70, Interpolation.Bilinear);
            foreach (var other in new[] { PerceptualHash.Of(poor), PerceptualHash.Of(small) })
            {
                Assert.InRange(look.Distance(other), 0, 8);
                Assert.InRange(look.Correlation(other), 0.97, 1);
            }
        });
    }

    [Fact]
    public void Copies_are_found_by_their_bytes_and_their_looks()
    {
        for (var seed = 0; seed < 6; seed++) _pictures.Put($"{(seed < 3 ? "cat" : "dog")}/{seed}.jpg", seed);
        File.Copy(_pictures.Put("cat/0.jpg", 0), _pictures.Outside("photos/cat/copy.jpg"));
        _pictures.Put("cat/reencoded.png", 1, format: SKEncodedImageFormat.Png);
        _pictures.Put("dog/resized.jpg", 4, quality: 60, scale: 0.5);
        _pictures.Put("dog/wrongly-labeled.jpg", 2, quality: 50);

        var report = Check();

        Assert.Equal(
            [
                "cat/2.jpg dog/wrongly-labeled.jpg", // one photo in two classes comes first
                "cat/0.jpg cat/copy.jpg", "cat/1.jpg cat/reencoded.png", "dog/4.jpg dog/resized.jpg",
            ],
            report.Duplicates.Select(group => string.Join(' ', Files(group))));
        Assert.Equal([false, true, false, false], report.Duplicates.Select(group => group.IsExact));
        Assert.Equal([true, false, false, false], report.Duplicates.Select(group => group.IsContradiction));
        Assert.All(report.Duplicates, group => Assert.False(group.IsLeak));
    }

    [Fact]
    public void Photo_in_training_and_test_is_a_leak_and_comes_first()
    {
        foreach (var part in new[] { "train", "val", "test" })
            foreach (var name in new[] { "cat", "dog" })
                for (var number = 0; number < 3; number++)
                    _pictures.Put($"{part}/{name}/{part}{name}{number}.jpg", $"{part}{name}{number}".Sum(letter => letter * letter));
        _pictures.Put("train/cat/twin1.jpg", 1000);
        _pictures.Put("train/cat/twin2.jpg", 1000);
        _pictures.Put("train/dog/leak.jpg", 1001, scale: 2);
        _pictures.Put("test/dog/leak.jpg", 1001);

        var report = Check();

        Assert.Equal(["train", "val", "test"], report.Parts);
        Assert.Equal([5, 4], report.CountsOf("train"));
        Assert.Equal([11, 11], report.CountsOf());
        Assert.Equal(["test/dog/leak.jpg", "train/dog/leak.jpg"], Files(report.Duplicates[0]));
        Assert.Equal([true, false], report.Duplicates.Select(group => group.IsLeak));
        Assert.Equal(["train/dog/leak.jpg", "train/cat/twin2.jpg"], Quarantine.SuspectsOf(report).Select(suspect => suspect.File));
    }

    [Fact]
    public void Broken_misnamed_and_odd_pictures_are_told()
    {
        for (var seed = 0; seed < 4; seed++) _pictures.Put($"{(seed < 2 ? "cat" : "dog")}/{seed}.jpg", seed);
        var whole = File.ReadAllBytes(_pictures.Put("cat/cut.jpg", 10));
        _pictures.Put("cat/cut.jpg", whole[..(whole.Length / 2)]);
        _pictures.Put("cat/empty.jpg", []);
        _pictures.Put("cat/text.jpg", "no picture"u8.ToArray());
        _pictures.Put("cat/notes.txt", "no picture"u8.ToArray());
        _pictures.Put("dog/liar.jpg", 11, format: SKEncodedImageFormat.Png);
        _pictures.Put("dog/blank.png", Flat(120, 100, 130));
        _pictures.Put("dog/blank2.png", Flat(100, 120, 130));
        _pictures.Put("dog/dark.png", TestImages.Encode(Scaled(Pictures.Draw(12), 0.1), SKEncodedImageFormat.Png));
        _pictures.Put("dog/tiny.png", 13, format: SKEncodedImageFormat.Png, scale: 0.3);
        _pictures.Put("dog/long.png", TestImages.Encode(
            Resampler.Resize(Pictures.Draw(14), 400, 100, Interpolation.Bilinear), SKEncodedImageFormat.Png));
        _pictures.Put("dog/soft.png", TestImages.Encode(
            Resampler.Resize(Resampler.Resize(Pictures.Draw(15), 6, 6, Interpolation.Bilinear), 160, 120, Interpolation.Bicubic), SKEncodedImageFormat.Png));

        var report = Check();

        Assert.Equal(["cut.jpg", "empty.jpg", "text.jpg"], report.Unreadable.Select(file => Path.GetFileName(file.Path)).Order(StringComparer.Ordinal));
        Assert.Equal(["notes.txt"], report.Others.Select(file => Path.GetFileName(file.Path)));
        Assert.Equal([("dog/liar.jpg", ".jpg", "PNG")], report.Misnamed.Select(file => (file.Image.File, file.Extension, file.Image.Format)));
        Assert.Equal(
            [
                ("dog/blank.png", ImageFlaw.Blank), ("dog/blank2.png", ImageFlaw.Blank), ("dog/dark.png", ImageFlaw.Dark),
                ("dog/long.png", ImageFlaw.OddAspect), ("dog/soft.png", ImageFlaw.Blurred), ("dog/tiny.png", ImageFlaw.Tiny),
            ],
            report.Flawed.Select(flawed => (flawed.Image.File, flawed.Flaw)));
        Assert.Equal(0.75, report.CropLoss); // of 400 × 100 pixels a square crop sees a quarter
        Assert.Empty(report.Duplicates); // two blank pictures are no duplicates
        Assert.False(report.IsClean);

        static byte[] Flat(int width, int height, byte value) =>
            TestImages.Encode(new(width, height, [.. Enumerable.Repeat(value, 3 * width * height)]), SKEncodedImageFormat.Png);
        static RgbImage Scaled(RgbImage image, double factor) =>
            new(image.Width, image.Height, [.. image.Pixels.Select(value => (byte)(factor * value))]);
    }

    [Fact]
    public void Colors_formats_sizes_and_imbalance_are_told()
    {
        for (var seed = 0; seed < 22; seed++) _pictures.Put($"{(seed < 2 ? "cat" : "dog")}/{seed}.jpg", seed);
        var gray = Pictures.Draw(30).Pixels.Chunk(3).SelectMany(pixel => Enumerable.Repeat(pixel[0], 3)).ToArray();
        _pictures.Put("dog/grey.png", TestImages.Encode(new(160, 120, gray), SKEncodedImageFormat.Png));

        var report = Check();

        Assert.Equal(["dog/grey.png"], report.Images.Where(image => image.IsGrayscale).Select(image => image.File));
        Assert.Equal(("PNG", 160, 120), report.Images.Where(image => image.IsGrayscale).Select(image => (image.Format, image.Width, image.Height)).Single());
        Assert.Equal(("dog", 21, "cat", 2), report.Imbalance);
        Assert.Equal([""], report.Parts);
    }

    [Fact]
    public void Data_of_12_bits_in_files_of_16_is_noted()
    {
        for (var seed = 0; seed < 2; seed++) _pictures.Put($"cat/{seed}.jpg", seed);
        byte[] Rows(int largest) => new HandmadePng(64, 64, bits: 16, color: 0).WithRows(
            [.. Enumerable.Range(0, 64).Select(y => Enumerable.Range(0, 64).SelectMany(x => (byte[])[(byte)(x * largest / 63), (byte)(3 * y)]).ToArray())]);
        _pictures.Put("dog/narrow.png", Rows(15));
        _pictures.Put("dog/wide.png", Rows(255));

        Assert.Contains("1 image has 12-bit data in 16-bit files", Assert.Single(Check().Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Clean_data_set_is_called_so()
    {
        for (var seed = 0; seed < 8; seed++) _pictures.Put($"{(seed < 4 ? "cat" : "dog")}/{seed}.jpg", seed);

        Assert.True(Check().IsClean);
    }

    [Fact]
    public void Wrong_options_are_told_together()
    {
        var options = new DataCheckOptions { LargestHashDistance = 40, LeastCorrelation = double.NaN, OddAspect = 0.5 };

        Assert.Equal(3, options.Problems().Count);
        Assert.Empty(new DataCheckOptions().Problems());
    }

    [Fact]
    public void Quarantine_and_undo_lose_no_file()
    {
        for (var seed = 0; seed < 6; seed++) _pictures.Put($"{(seed < 3 ? "cat" : "dog")}/{seed}.jpg", seed);
        _pictures.Put("cat/below/a \"b\", c.jpg", 1);
        _pictures.Put("dog/two.png", 2, format: SKEncodedImageFormat.Png);
        _pictures.Put("dog/broken.jpg", "no picture"u8.ToArray());
        var before = Pictures.Snapshot(_pictures.FullName);
        var aside = _pictures.Outside("aside");

        var (moved, unmoved) = Quarantine.Move(_pictures.FullName, Quarantine.SuspectsOf(Check()), aside, TestContext.Current.CancellationToken);

        Assert.Empty(unmoved);
        Assert.Equal(4, moved); // one of two copies, both of a contradiction, the broken one
        Assert.Equal(before.Count - 4, Pictures.Snapshot(_pictures.FullName).Count);
        Assert.True(Check().IsClean);
        Assert.Equal(
            before.Values.Order(StringComparer.Ordinal),
            Pictures.Snapshot(_pictures.FullName).Values
                .Concat(Pictures.Snapshot(aside).Where(file => file.Key != Quarantine.ListName).Select(file => file.Value)).Order(StringComparer.Ordinal));

        var (restored, left) = Quarantine.Undo(_pictures.FullName, aside, TestContext.Current.CancellationToken);

        Assert.Equal((4, 0), (restored, left.Count));
        Assert.Equal(before, Pictures.Snapshot(_pictures.FullName));
        Assert.False(Directory.Exists(aside));
    }

    /// <summary>Lists were written before that do not say which data set their files came out of.</summary>
    [Fact]
    public void List_without_the_data_sets_name_takes_more_and_is_undone()
    {
        for (var seed = 0; seed < 4; seed++) _pictures.Put($"{(seed < 2 ? "cat" : "dog")}/{seed}.jpg", seed);
        var before = Pictures.Snapshot(_pictures.FullName);
        var aside = _pictures.Outside("aside");
        Directory.CreateDirectory(Path.Combine(aside, "cat"));
        File.Move(Path.Combine(_pictures.FullName, "cat", "0.jpg"), Path.Combine(aside, "cat", "0.jpg"));
        File.WriteAllText(Path.Combine(aside, Quarantine.ListName), "file,moved_to,reason\n\"cat/0.jpg\",\"cat/0.jpg\",\"a, \"\"b\"\"\"\n");

        var more = new Suspect("dog/2.jpg", Path.Combine(_pictures.FullName, "dog", "2.jpg"), SuspectKind.Blank, "");
        Assert.Equal(1, Quarantine.Move(_pictures.FullName, [more], aside, TestContext.Current.CancellationToken).Moved);
        var (restored, left) = Quarantine.Undo(_pictures.FullName, aside, TestContext.Current.CancellationToken);

        Assert.Equal((2, 0), (restored, left.Count));
        Assert.Equal(before, Pictures.Snapshot(_pictures.FullName));
        Assert.False(Directory.Exists(aside));
    }

    [Fact]
    public void Undo_writes_nothing_over_and_keeps_what_it_cannot_bring_back()
    {
        for (var seed = 0; seed < 4; seed++) _pictures.Put($"{(seed < 2 ? "cat" : "dog")}/{seed}.jpg", seed);
        foreach (var name in new[] { "x", "y" }) _pictures.Put($"cat/{name}.jpg", "broken"u8.ToArray());
        var aside = _pictures.Outside("aside");
        Quarantine.Move(_pictures.FullName, Quarantine.SuspectsOf(Check()), aside, TestContext.Current.CancellationToken);
        var mine = _pictures.Put("cat/x.jpg", 20);
        var bytes = File.ReadAllBytes(mine);

        var (restored, left) = Quarantine.Undo(_pictures.FullName, aside, TestContext.Current.CancellationToken);

        Assert.Equal(1, restored);
        Assert.Contains("x.jpg", Assert.Single(left).Path, StringComparison.Ordinal);
        Assert.Equal(bytes, File.ReadAllBytes(mine));
        Assert.Equal("broken", File.ReadAllText(Path.Combine(aside, "cat", "x.jpg")));

        File.Delete(mine);
        Assert.Equal(1, Quarantine.Undo(_pictures.FullName, aside, TestContext.Current.CancellationToken).Restored);
        Assert.Equal("broken", File.ReadAllText(mine));
    }

    [Fact]
    public void Undo_brings_nothing_into_another_data_set()
    {
        for (var seed = 0; seed < 4; seed++) _pictures.Put($"{(seed < 2 ? "cat" : "dog")}/{seed}.jpg", seed);
        var broken = _pictures.Put("cat/x.jpg", "broken"u8.ToArray());
        var (aside, other) = (_pictures.Outside("aside"), Directory.CreateDirectory(_pictures.Outside("other")).FullName);
        Quarantine.Move(_pictures.FullName, Quarantine.SuspectsOf(Check()), aside, TestContext.Current.CancellationToken);

        var refusal = Assert.Throws<DataException>(() => Quarantine.Undo(other, aside, TestContext.Current.CancellationToken));

        Assert.Equal("quarantine-of-another-folder", refusal.Code);
        Assert.Contains($"come from '{_pictures.FullName}'", refusal.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(other));

        // With photos of both, each takes its own.
        var foreign = Path.Combine(other, "y.jpg");
        File.WriteAllText(foreign, "broken too");
        Quarantine.Move(other, [new("y.jpg", foreign, SuspectKind.Unreadable, "")], aside, TestContext.Current.CancellationToken);
        var (restored, left) = Quarantine.Undo(other, aside, TestContext.Current.CancellationToken);
        Assert.Equal(1, restored);
        Assert.Contains("comes from", Assert.Single(left).Reason, StringComparison.Ordinal);
        Assert.True(File.Exists(foreign));
        Assert.False(File.Exists(broken));

        // A data set that was moved since takes its photos wherever it lies now.
        Directory.Move(_pictures.FullName, _pictures.Outside("moved"));
        Assert.Equal((1, 0), Quarantine.Undo(_pictures.Outside("moved"), aside, TestContext.Current.CancellationToken) is var (back, rest) ? (back, rest.Count) : default);
        Assert.Equal("broken", File.ReadAllText(_pictures.Outside("moved/cat/x.jpg")));
    }

    [Fact]
    public void Undo_follows_no_path_out_of_the_folders()
    {
        _pictures.Put("cat/0.jpg", 0);
        var (aside, secret) = (_pictures.Outside("aside"), _pictures.Outside("secret.txt"));
        File.WriteAllText(secret, "mine");
        File.WriteAllText(_pictures.Outside("aside/x.jpg"), "broken");
        File.WriteAllText(
            Path.Combine(aside, Quarantine.ListName),
            "file,moved_to,reason,moved_from\n\"stolen.txt\",\"../secret.txt\",\"\",\"\"\n\"../planted.jpg\",\"x.jpg\",\"\",\"\"\n"
                .Replace("\"\"\n", $"\"{_pictures.FullName}\"\n", StringComparison.Ordinal));

        var (restored, left) = Quarantine.Undo(_pictures.FullName, aside, TestContext.Current.CancellationToken);

        Assert.Equal((0, 2), (restored, left.Count));
        Assert.Equal("mine", File.ReadAllText(secret));
        Assert.False(File.Exists(_pictures.Outside("planted.jpg")));
    }

    [Fact]
    public void Photo_that_cannot_be_moved_stays_and_the_others_go()
    {
        for (var seed = 0; seed < 4; seed++) _pictures.Put($"{(seed < 2 ? "cat" : "dog")}/{seed}.jpg", seed);
        foreach (var name in new[] { "x", "y" }) _pictures.Put($"cat/{name}.jpg", "broken"u8.ToArray());
        var suspects = Quarantine.SuspectsOf(Check());
        File.Delete(suspects[0].Path); // as one that another program takes away meanwhile

        var (moved, left) = Quarantine.Move(_pictures.FullName, suspects, _pictures.Outside("aside"), TestContext.Current.CancellationToken);

        Assert.Equal(1, moved);
        Assert.Equal(suspects[0].Path, Assert.Single(left).Path);
        Assert.True(File.Exists(_pictures.Outside("aside/cat/y.jpg")));
    }

    [Fact]
    public void Links_never_make_quarantine_move_what_lies_elsewhere()
    {
        for (var seed = 0; seed < 4; seed++) _pictures.Put($"{(seed < 2 ? "cat" : "dog")}/{seed}.jpg", seed);
        var originals = Directory.CreateDirectory(_pictures.Outside("originals")).FullName;
        var (broken, other) = (Path.Combine(originals, "broken.jpg"), Path.Combine(originals, "other.jpg"));
        foreach (var path in new[] { broken, other }) File.WriteAllText(path, "no picture");
        Directory.CreateSymbolicLink(Path.Combine(_pictures.FullName, "cat", "more"), originals);
        File.CreateSymbolicLink(Path.Combine(_pictures.FullName, "dog", "link.jpg"), "../../originals/other.jpg");
        var aside = _pictures.Outside("aside");

        var (moved, left) = Quarantine.Move(_pictures.FullName, Quarantine.SuspectsOf(Check()), aside, TestContext.Current.CancellationToken);

        Assert.Equal(1, moved);
        Assert.Equal(2, left.Count);
        Assert.All(left, file => Assert.Equal("it leads out of the folder through a link", file.Reason));
        Assert.Equal(2, Directory.GetFiles(originals).Length);
        Assert.Equal("../../originals/other.jpg", new FileInfo(Path.Combine(aside, "dog", "link.jpg")).LinkTarget);
        Assert.Equal(1, Quarantine.Undo(_pictures.FullName, aside, TestContext.Current.CancellationToken).Restored);
        Assert.Equal("../../originals/other.jpg", new FileInfo(Path.Combine(_pictures.FullName, "dog", "link.jpg")).LinkTarget);
        Assert.False(Directory.Exists(aside));
    }

    [Fact]
    public void Undo_follows_no_link_of_a_list_out_of_the_folders()
    {
        var photo = _pictures.Put("cat/0.jpg", 0);
        var outside = Directory.CreateDirectory(_pictures.Outside("outside")).FullName;
        File.WriteAllText(Path.Combine(outside, "mine.txt"), "mine");
        var aside = Directory.CreateDirectory(_pictures.Outside("aside")).FullName;
        File.WriteAllText(Path.Combine(aside, "theirs.jpg"), "theirs");
        Directory.CreateSymbolicLink(Path.Combine(aside, "link"), outside);
        Directory.CreateSymbolicLink(Path.Combine(_pictures.FullName, "link"), outside);
        File.WriteAllText(
            Path.Combine(aside, Quarantine.ListName),
            $"file,moved_to,reason,moved_from\n\"cat/1.txt\",\"link/mine.txt\",\"\",\"{_pictures.FullName}\"\n\"link/1.jpg\",\"theirs.jpg\",\"\",\"{_pictures.FullName}\"\n");

        var (restored, left) = Quarantine.Undo(_pictures.FullName, aside, TestContext.Current.CancellationToken);

        Assert.Equal(0, restored);
        Assert.All(left, file => Assert.Equal("its path leads out of the folder through a link", file.Reason));
        Assert.Equal(2, left.Count);
        Assert.Equal(["mine.txt"], Directory.GetFiles(outside).Select(Path.GetFileName));
        Assert.True(File.Exists(photo));
    }

    [Fact]
    public void Quarantines_at_once_lose_no_photo()
    {
        for (var seed = 0; seed < 12; seed++)
        {
            _pictures.Put($"{(seed % 2 == 0 ? "cat" : "dog")}/{seed}.jpg", seed);
            _pictures.Put($"{(seed % 2 == 0 ? "cat" : "dog")}/{seed} copy.jpg", seed);
        }
        var before = Pictures.Snapshot(_pictures.FullName);
        var (suspects, aside) = (Quarantine.SuspectsOf(Check()), _pictures.Outside("aside"));
        var cancellation = TestContext.Current.CancellationToken;

        var moved = Enumerable.Range(0, 6).AsParallel().WithDegreeOfParallelism(6).Sum(_ =>
        {
            var (count, left) = Quarantine.Move(_pictures.FullName, suspects, aside, cancellation);
            Assert.Empty(left);
            return count;
        });

        Assert.Equal(12, moved);
        Assert.Equal(12, Quarantine.Undo(_pictures.FullName, aside, cancellation).Restored);
        Assert.Equal(before, Pictures.Snapshot(_pictures.FullName));
        Assert.False(Directory.Exists(aside));
    }

    [Fact]
    public void Quarantine_takes_more_later_and_refuses_unsuitable_folders()
    {
        for (var seed = 0; seed < 4; seed++) _pictures.Put($"{(seed < 2 ? "cat" : "dog")}/{seed}.jpg", seed);
        var aside = _pictures.Outside("aside");
        for (var time = 0; time < 2; time++)
        {
            _pictures.Put("cat/x.jpg", "broken"u8.ToArray());
            Assert.Equal(1, Quarantine.Move(_pictures.FullName, Quarantine.SuspectsOf(Check()), aside, TestContext.Current.CancellationToken).Moved);
        }
        Assert.True(File.Exists(Path.Combine(aside, "cat", "x (2).jpg")));

        var suspects = new[] { new Suspect("cat/0.jpg", Path.Combine(_pictures.FullName, "cat/0.jpg"), SuspectKind.Blank, "") };
        Assert.Contains("inside", Fails(Path.Combine(_pictures.FullName, "aside")), StringComparison.Ordinal);
        Assert.Contains("not empty", Fails(Path.GetDirectoryName(_pictures.FullName)! + "/aside/cat"), StringComparison.Ordinal);
        File.WriteAllText(_pictures.Outside("file"), "mine");
        Assert.Contains("is a file", Fails(_pictures.Outside("file")), StringComparison.Ordinal);
        Assert.Throws<DataException>(() => Quarantine.Undo(_pictures.FullName, _pictures.Outside("nowhere"), TestContext.Current.CancellationToken));
        Assert.True(File.Exists(suspects[0].Path));
        Assert.Equal("mine", File.ReadAllText(_pictures.Outside("file")));

        string Fails(string folder) => Assert.Throws<DataException>(() => Quarantine.Move(_pictures.FullName, suspects, folder, TestContext.Current.CancellationToken)).Message;
    }
}

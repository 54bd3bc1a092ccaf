using Graft.Cli.Demo;
using Graft.Testing;
using SkiaSharp;

namespace Graft.EndToEndTests.Demo;

public sealed class DemoPhotosTests(DemoPhotosTests.Drawn drawn) : IClassFixture<DemoPhotosTests.Drawn>
{
    private const int Train = 6, Test = 4, Seed = 7, SizePixels = 64;

    public sealed class Drawn : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public Drawn() => DemoPhotos.Draw(_folder.FullName, Train, validationPerClass: 0, Test, Seed, SizePixels);

        public string Folder => _folder.FullName;

        public void Dispose() => _folder.Dispose();

        internal IEnumerable<(string Class, string File)> All => Photos("train").Concat(Photos("test"));

        internal IEnumerable<(string Class, string File)> Photos(string split) =>
            from name in DemoPhotos.Classes
            from file in Directory.EnumerateFiles(Path.Combine(Folder, split, name), "*.jpg")
            select (name, file);
    }

    [Fact]
    public void Every_class_gets_the_asked_number_of_pictures_and_a_split_of_none_gets_no_folder()
    {
        foreach (var (split, count) in new[] { ("train", Train), ("test", Test) })
            Assert.All(
                drawn.Photos(split).GroupBy(photo => photo.Class), photos => Assert.Equal(count, photos.Count()));

        Assert.Equal(DemoPhotos.Classes.Count * (Train + Test), drawn.All.Count());
        Assert.True(File.Exists(Path.Combine(drawn.Folder, "train", "cup", "cup-001.jpg")));
        Assert.False(Directory.Exists(Path.Combine(drawn.Folder, "validation")));
    }

    [Fact]
    public void Same_seed_draws_the_same_files_and_more_of_them_change_none()
    {
        using var again = new TemporaryFolder();

        DemoPhotos.Draw(again.FullName, Train + 1, validationPerClass: 0, Test, Seed, SizePixels, TestContext.Current.CancellationToken);

        Assert.All(drawn.All, photo => Assert.Equal(
            File.ReadAllBytes(photo.File),
            File.ReadAllBytes(Path.Combine(again.FullName, Path.GetRelativePath(drawn.Folder, photo.File)))));
    }

    [Fact]
    public void Another_seed_draws_another_picture() => Assert.NotEqual(
        DemoPhotos.DrawOne("fish", seed: 1, SizePixels), DemoPhotos.DrawOne("fish", seed: 2, SizePixels));

    [Fact]
    public void No_two_files_are_the_same()
    {
        var files = drawn.All.Select(photo => File.ReadAllBytes(photo.File))
            .Concat(DemoPhotos.Classes.Select(name => DemoPhotos.DrawOne(name, Seed, SizePixels)))
            .Select(Convert.ToHexString).ToList();

        Assert.Equal(files.Count, files.Distinct().Count());
    }

    [Fact]
    public void Every_picture_decodes_to_the_asked_size_and_shows_something() =>
        Assert.All(drawn.All, photo =>
        {
            using var picture = SKBitmap.Decode(photo.File);
            Assert.Equal((SizePixels, SizePixels), (picture.Width, picture.Height));

            var brightness = picture.Pixels.Select(pixel => (pixel.Red + pixel.Green + pixel.Blue) / 3.0).ToList();
            var mean = brightness.Average();
            Assert.InRange(mean, 15, 240);
            Assert.True(Math.Sqrt(brightness.Average(value => (value - mean) * (value - mean))) > 5, photo.File);
        });

    /// <summary>Nearest class by mean red, green and blue: it finds the classes if color gives them away.</summary>
    [Fact]
    public void Mean_color_does_not_tell_the_classes_apart()
    {
        using var folder = new TemporaryFolder();
        DemoPhotos.Draw(
            folder.FullName, trainPerClass: 30, validationPerClass: 0, testPerClass: 20, Seed, sizePixels: 32, TestContext.Current.CancellationToken);
        var centers = DemoPhotos.Classes.Select(name => Center(MeanColors(folder, "train", name))).ToList();

        var hits = DemoPhotos.Classes.Select((name, label) =>
            MeanColors(folder, "test", name).Count(color => Nearest(color) == label)).Sum();

        var chance = 1.0 / DemoPhotos.Classes.Count;
        Assert.InRange(hits / (20.0 * DemoPhotos.Classes.Count), 0, 1.7 * chance);

        int Nearest(double[] color) =>
            centers.Index().MinBy(center => center.Item.Zip(color, (a, b) => (a - b) * (a - b)).Sum()).Index;
    }

    [Fact]
    public void Unknown_class_is_named()
    {
        var error = Assert.Throws<ArgumentException>(() => DemoPhotos.DrawOne("unicorn", Seed));

        Assert.Contains("unicorn", error.Message, StringComparison.Ordinal);
    }

    private static List<double[]> MeanColors(TemporaryFolder folder, string split, string name) =>
        [.. Directory.EnumerateFiles(Path.Combine(folder.FullName, split, name)).Select(file =>
        {
            using var picture = SKBitmap.Decode(file);
            return Center([.. picture.Pixels.Select(pixel => new double[] { pixel.Red, pixel.Green, pixel.Blue })]);
        })];

    private static double[] Center(List<double[]> colors) =>
        [.. Enumerable.Range(0, 3).Select(channel => colors.Average(color => color[channel]))];
}

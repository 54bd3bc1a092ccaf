using Graft.Data;
using Graft.Features;
using Graft.Networks;
using Graft.Runs;
using Graft.Testing;
using Graft.Tests.Features;
using Graft.Training;

namespace Graft.Tests.Data;

public sealed class LabeledImagesTests : IDisposable
{
    private readonly FeatureScene _scene = new();

    public void Dispose() => _scene.Dispose();

    private (ImageSource, string)[] InMemory(int count, string name = "photo") => [.. _scene.Photos(count, classes: 2).Select((photo, number) =>
        (ImageSource.FromBytes($"{name} {number}", File.ReadAllBytes(photo.Path)), photo.Class == 0 ? "cat" : "dog"))];

    [Fact]
    public void Images_in_memory_are_like_the_same_in_files()
    {
        var files = _scene.Photos(20, classes: 2);
        var fromFiles = LabeledImages.Of([.. files.Select(photo => ((ImageSource)photo.Path, photo.Class == 0 ? "cat" : "dog"))]);
        var inMemory = LabeledImages.Of(InMemory(20));
        using var backbone = FeatureScene.Backbone();
        using var extractor = new FeatureExtractor(backbone, cache: null);

        var cancellation = TestContext.Current.CancellationToken;
        var (expected, found) = (extractor.Extract(files, cancellation: cancellation), extractor.Extract([.. inMemory.All], cancellation: cancellation));

        Assert.Equal(["cat", "dog"], inMemory.Classes);
        Assert.Equal((16, 4), (inMemory.Train.Count, inMemory.Validation.Count));
        Assert.Equal((16, 4), (fromFiles.Train.Count, fromFiles.Validation.Count));
        Assert.True(inMemory.ValidationWasSplit);
        Assert.Empty(found.Broken);
        foreach (var (image, row) in found.Images.Zip(found.Rows))
            Assert.Equal(expected.Rows[int.Parse(image.Path.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture)], row);
    }

    [Fact]
    public void Images_in_memory_are_checked_and_divided()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var images = InMemory(20);
        var broken = ImageSource.FromStream("broken", new MemoryStream([1, 2, 3]));
        var photos = LabeledImages.Of([.. images, (broken, "dog"), (ImageSource.FromContent("copy", images[0].Item1.Read), "cat")], options: new() { ValidationShare = 0 });

        var report = DataCheck.Run(photos, cancellation: cancellation);

        Assert.Equal("broken", Assert.Single(report.Unreadable).Path);
        Assert.Contains(report.Duplicates, group => group.IsExact && group.Images.Select(image => image.File).Order(StringComparer.Ordinal).SequenceEqual(["copy", "photo 0"]));

        using var folder = new TemporaryFolder();
        var split = DataSplit.Of(photos, new() { KeepDuplicatesTogether = false }, cancellation: cancellation);
        SplitWriter.Write(split, folder.File("split"), SplitMode.Copy, cancellation: cancellation);
        Assert.Equal(22, Directory.GetFiles(folder.File("split"), "*", SearchOption.AllDirectories).Length);
        Assert.Contains("is no file", Assert.Throws<DataException>(
            () => SplitWriter.Write(split, folder.File("split.csv"), SplitMode.Csv, cancellation: cancellation)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Copies_in_memory_fall_on_one_side()
    {
        var images = InMemory(10);

        var photos = LabeledImages.Of([.. images, .. images.Select(image => (ImageSource.FromContent($"{image.Item1.Path} again", image.Item1.Read), image.Item2))]);

        Assert.Equal(0, TrainingDataCheck.Of(photos, TestContext.Current.CancellationToken).Leaks);
        Assert.Equal(4, photos.Validation.Count);
    }

    [Fact]
    public void More_images_and_classes_can_be_added()
    {
        var photos = LabeledImages.Of(InMemory(10)).WithUnlabeled([ImageSource.FromBytes("new", [1]), ImageSource.FromBytes("unknown", [2])]);

        var more = photos.With(train: [(ImageSource.FromBytes("new", [1]), "bird")], test: [(ImageSource.FromBytes("last", [3]), "cat")]);

        Assert.Equal(["bird", "cat", "dog"], more.Classes);
        Assert.Equal((photos.Train.Count + 1, photos.Validation.Count, 1), (more.Train.Count, more.Validation.Count, more.Test.Count));
        Assert.Equal([1], more.Train.Single(image => image.Path == "new").Read());
        Assert.Equal(
            photos.Validation.Select(image => (image.Path, photos.Classes[image.Class])),
            more.Validation.Select(image => (image.Path, more.Classes[image.Class])));
        Assert.Equal(["unknown"], more.Unlabeled.Select(image => image.Path));
        Assert.Contains("'photo 1'", Assert.Throws<DataException>(() => photos.With([(ImageSource.FromBytes("photo 1", [1]), "dog")])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_classes_adds_unlabeled_images()
    {
        var photos = LabeledImages.Of(InMemory(4));
        using var folder = new PhotoFolder();
        folder.PutMany("deep/down", 3);

        Assert.Equal(3, photos.WithUnlabeled(folder.FullName).Unlabeled.Count);
        Assert.Throws<DataException>(() => photos.WithUnlabeled(Path.Join(folder.FullName, "none")));
    }

    [Fact]
    public void Names_that_are_none_are_refused()
    {
        Assert.Throws<ArgumentException>(() => ImageSource.FromFile(" "));
        Assert.Throws<ArgumentException>(() => ImageSource.FromBytes("", [1]));
        Assert.Throws<ArgumentNullException>(() => ImageSource.FromStream("a", null!));
    }

    [Fact]
    public void Network_trained_on_images_in_memory_hashes_each_once()
    {
        var reads = new System.Collections.Concurrent.ConcurrentDictionary<string, int>();
        var photos = LabeledImages.Of([.. InMemory(20).Select(image => (ImageSource.FromContent(image.Item1.Path, () =>
        {
            reads.AddOrUpdate(image.Item1.Path, 1, (_, count) => count + 1);
            return image.Item1.Read();
        }), image.Item2))]);
        using var backbone = FeatureScene.Backbone();
        reads.Clear();

        using var run = TrainingRun.Execute(
            photos, backbone.Graft(Head.Softmax, photos.Classes, seed: 1), new TrainingPlan { Options = FineTuningOptions.For(Strategy.Head) },
            cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(4, run.Validation.Count);
        // Hashed and computed; and computed again, by the trained network: what is measured, and what new photos are compared with.
        Assert.All(photos.Train, image => Assert.Equal(3, reads[image.Path]));
        Assert.All(photos.Validation, image => Assert.Equal(3, reads[image.Path]));
    }
}

using Graft.Data;

namespace Graft.Tests.Data;

public sealed class FileNameLayoutTests : IDisposable
{
    private readonly PhotoFolder photos = new();

    public void Dispose() => photos.Dispose();

    [Theory]
    [InlineData("cat.0.jpg", "cat")]
    [InlineData("dog_12.png", "dog")]
    [InlineData("great_dane (3).jpeg", "great_dane")]
    [InlineData("n02085620_7.JPEG", "n02085620")]
    [InlineData("Bird7.webp", "Bird")]
    [InlineData("wire-haired terrier - 04.bmp", "wire-haired terrier")]
    [InlineData("猫1.jpg", "猫")]
    public void The_class_stands_before_the_number(string name, string expected)
    {
        foreach (var file in new[] { name, "zebra.1.jpg", "zebra.2.jpg" }) photos.Put(file);

        var images = photos.Load(new() { ValidationShare = 0 });

        Assert.Equal([.. new[] { expected, "zebra" }.Order(StringComparer.Ordinal)], images.Classes);
        Assert.Contains("Classes taken from the file names", Assert.Single(images.Notes));
    }

    [Fact]
    public void Kaggle_s_train_and_unlabeled_test_folders_are_read()
    {
        for (var number = 0; number < 5; number++)
            foreach (var path in new[] { $"train/cat.{number}.jpg", $"train/dog.{number}.jpg", $"test/{number}.jpg" })
                photos.Put(path);

        var images = photos.Load();

        Assert.Equal(["cat", "dog"], images.Classes);
        Assert.Equal((8, 2, 0), (images.Train.Count, images.Validation.Count, images.Test.Count));
        Assert.Contains(images.Notes, note => note.StartsWith("The 5 images directly in"));
    }

    [Theory]
    [InlineData("cat", 2)]
    [InlineData("IMG", 0)]
    public void Names_in_a_test_folder_count_where_they_are_training_classes(string name, int tests)
    {
        for (var number = 0; number < 4; number++)
            foreach (var path in new[] { $"train/cat.{number}.jpg", $"train/dog.{number}.jpg" }) photos.Put(path);
        foreach (var number in new[] { 8, 9 }) photos.Put($"test/{name}_{number}.jpg");
        photos.Put("val/cat.5.jpg");
        photos.Put("val/dog.5.jpg");

        var images = photos.Load();

        Assert.Equal((8, 2, tests), (images.Train.Count, images.Validation.Count, images.Test.Count));
        Assert.Equal(2, images.Notes.Count);
    }

    [Fact]
    public void Few_names_without_a_class_are_skipped_many_are_an_error()
    {
        for (var number = 0; number < 10; number++)
        {
            photos.Put($"cat.{number}.jpg");
            photos.Put($"dog.{number}.jpg");
        }
        photos.Put("cover.jpg");
        Assert.Equal("its name says no class", Assert.Single(photos.Load().Skipped).Reason);

        photos.Put("banner.jpg");
        var message = photos.LoadFails().Message;

        Assert.Contains("The 22 images", message);
        Assert.Contains("2 have names that say no class, such as 'banner.jpg'", message);
        Assert.Contains("/cat/1.jpg", message);
        Assert.Contains("/cat.1.jpg", message);
    }

    [Fact]
    public void Photos_from_one_camera_are_a_single_class_and_refused()
    {
        for (var number = 0; number < 5; number++) photos.Put($"IMG_{number}.jpg");

        Assert.Contains("a single class, 'IMG'", photos.LoadFails().Message);
    }

    [Fact]
    public void A_pattern_of_one_s_own_finds_the_class()
    {
        foreach (var file in new[] { "001-ripe.jpg", "002-ripe.jpg", "003-green.jpg", "004-green.jpg" })
            photos.Put(file);

        var options = new LabeledImagesOptions { FileNamePattern = @"-(\w+)\.", ValidationShare = 0 };

        Assert.Equal(["green", "ripe"], photos.Load(options).Classes);
        var named = options with { FileNamePattern = @"^(\d+)-(?<class>\w+)" };
        Assert.Equal(["green", "ripe"], photos.Load(named).Classes);
    }

    [Fact]
    public void Class_folders_come_before_file_names_unless_asked()
    {
        photos.PutMany("ape", 2);
        photos.PutMany("bee", 2);
        foreach (var file in new[] { "cat.0.jpg", "cat.1.jpg", "dog.0.jpg", "dog.1.jpg" }) photos.Put(file);

        Assert.Equal(["ape", "bee"], photos.Load().Classes);
        Assert.Equal(["cat", "dog"], LabeledImages.FromFileNames(photos.FullName).Classes);
    }
}

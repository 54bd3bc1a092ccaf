using Graft.Data;

namespace Graft.Tests.Data;

public sealed class DataProblemTests : IDisposable
{
    private readonly PhotoFolder photos = new();

    public void Dispose() => photos.Dispose();

    [Fact]
    public void An_absent_source_is_named()
    {
        var path = Path.Combine(photos.FullName, "none");

        var failure = Assert.Throws<DataException>(() => LabeledImages.Load(path));
        Assert.Equal($"There is no folder or file '{path}'.", failure.Message);
        Assert.Throws<DataException>(() => LabeledImages.FromFolder(path));
        Assert.Throws<DataException>(() => LabeledImages.FromFileNames(path));
        Assert.Throws<DataException>(() => LabeledImages.FromCsv(path));
    }

    [Fact]
    public void A_file_that_is_no_table_is_refused()
    {
        var path = photos.Put("photo.jpg");

        var failure = Assert.Throws<DataException>(() => LabeledImages.Load(path));

        Assert.Contains("neither a folder nor a .csv file", failure.Message);
    }

    [Fact]
    public void A_folder_without_images_shows_the_layouts_and_what_it_found()
    {
        photos.Put("readme.txt");

        var message = photos.LoadFails().Message;

        Assert.Contains("There are no images", message);
        Assert.Contains("'readme.txt'", message);
        Assert.Contains("/cat/1.jpg", message);
        Assert.Contains("/cat.1.jpg", message);
    }

    [Fact]
    public void A_single_class_is_refused_and_a_wrapping_folder_recognized()
    {
        photos.PutMany("flowers/rose", 2);
        Assert.DoesNotContain("Did you mean", photos.LoadFails().Message);

        photos.PutMany("flowers/tulip", 2);
        var message = photos.LoadFails().Message;

        Assert.Contains("a single class, 'flowers'", message);
        Assert.Contains($"Did you mean '{Path.Join(photos.FullName, "flowers")}'?", message);
    }

    [Fact]
    public void All_problems_are_told_together()
    {
        photos.PutMany("train/cat", 1);
        photos.Put("train/dog/notes.txt");
        Directory.CreateDirectory(Path.Combine(photos.FullName, "train", "emu"));
        photos.PutMany("val/fox", 1);
        photos.PutMany("test/gnu", 1);

        var failure = photos.LoadFails();

        Assert.Equal(
            [
                "There are fewer training images (1) than classes (3).",
                "The class 'dog' has no images. Add some, or remove the class.",
                "The class 'emu' has no images. Add some, or remove the class.",
                "The validation images have classes that training lacks: 'fox'. Training has 'cat', 'dog', 'emu'.",
                "The test images have classes that training lacks: 'gnu'. Training has 'cat', 'dog', 'emu'.",
            ],
            failure.Problems);
        Assert.All(failure.Problems, problem => Assert.Contains(problem, failure.Message));
        Assert.StartsWith($"'{photos.FullName}' has 5 problems:", failure.Message);
    }

    [Fact]
    public void A_single_image_in_a_class_is_too_few_only_where_validation_is_split_off()
    {
        photos.PutMany("train/cat", 1);
        photos.PutMany("train/dog", 2);
        Assert.Equal(
            "The class 'cat' has a single image; it needs two, one to train on and one to validate.",
            photos.LoadFails().Message);

        photos.PutMany("val/dog", 1);
        Assert.Equal(3, photos.Load().Train.Count);
    }

    [Fact]
    public void Divided_folders_need_one_train_folder()
    {
        photos.PutMany("val/cat", 2);
        photos.PutMany("test/cat", 2);
        Assert.Contains("no train folder", photos.LoadFails().Message);

        photos.PutMany("train/cat", 2);
        photos.PutMany("train/dog", 2);
        photos.PutMany("validation/dog", 2);
        Assert.Contains("several validation folders", photos.LoadFails().Message);
    }

    [Fact]
    public void Unsuitable_options_are_all_told()
    {
        var failure = photos.LoadFails(new() { ValidationShare = 1, FileNamePattern = "cat", Classes = ["a", "a"] });

        Assert.Equal(3, failure.Problems.Count);
        Assert.Contains("not a regular expression", photos.LoadFails(new() { FileNamePattern = "(" }).Message);
        Assert.Contains("validation share", photos.LoadFails(new() { ValidationShare = double.NaN }).Message);
    }

    [Fact]
    public void Images_that_do_not_decode_can_be_left_out_afterwards()
    {
        photos.PutMany("train/cat", 3);
        photos.PutMany("train/dog", 3);
        photos.PutMany("val/cat", 1);
        photos.PutMany("val/dog", 1);
        photos.Put("train/dog/notes.txt");
        var images = photos.Load();
        var broken = new[] { images.Train[1], images.Validation[0] };

        var left = images.WithSkipped(broken.Select(image => new SkippedFile(image.Path, "truncated")));

        Assert.Equal(images.Train.Except(broken), left.Train);
        Assert.Equal(images.Validation.Except(broken), left.Validation);
        Assert.Equal(["not an image", "truncated", "truncated"], left.Skipped.Select(file => file.Reason));
        Assert.Equal(6, images.Train.Count);
    }

    [Fact]
    public void A_class_that_loses_all_its_images_is_an_error()
    {
        photos.PutMany("train/cat", 3);
        photos.PutMany("train/dog", 2);
        photos.PutMany("val/cat", 1);
        var images = photos.Load();

        var failure = Assert.Throws<DataException>(() => images.WithSkipped(
            images.Train.Where(image => image.Class == 1).Concat(images.Validation)
                .Select(image => new SkippedFile(image.Path, "truncated"))));

        Assert.Equal(
            [
                "The class 'dog' has no usable training image: none of its 2 can be read.",
                "None of the 1 validation images can be read.",
            ],
            failure.Problems);
    }
}

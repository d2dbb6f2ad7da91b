"""Real-time image augmentation beside the training; needs the extra `images`.

The names, arguments and defaults are those of Keras's class, which Keras calls legacy::

    from fitgenerator.images import ImageDataGenerator

    augmented = ImageDataGenerator(rotation_range=20, horizontal_flip=True, rescale=1 / 255)
    flow = augmented.flow_from_directory("photos", target_size=(224, 224))
    fitgenerator.fit_generator(model, flow, epochs=10, workers=2)
"""

from .directory import DirectoryIterator
from .flow import Iterator
from .frame import DataFrameIterator
from .generator import ImageDataGenerator
from .memory import NumpyArrayIterator

__all__ = [
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
]
